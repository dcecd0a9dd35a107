"""The steps that Redis has to take as one, in Lua.

Times are Unix milliseconds of the server. A set is two sorted sets, one by score and one by expiry
of its members; both keys end with the last member.
"""

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

# KEYS and ARGV are read from front to back, as many of each as the change needs.
APPLY = (
    _NOW
    + """
local k, a = 0, 0
local function key() k = k + 1; return KEYS[k] end
local function arg() a = a + 1; return ARGV[a] end
local changes = {}
function changes.put() redis.call('SET', key(), arg(), 'PX', arg()) end
function changes.delete() redis.call('DEL', key()) end
function changes.add()
  local scores, expiries = key(), key()
  local member, score, expires = arg(), arg(), now + arg()
  redis.call('ZADD', scores, score, member)
  redis.call('ZADD', expiries, string.format('%.0f', expires), member)
  local last = redis.call('ZRANGE', expiries, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', scores, last)
  redis.call('PEXPIREAT', expiries, last)
end
function changes.remove()
  local scores, expiries, member = key(), key(), arg()
  redis.call('ZREM', scores, member)
  redis.call('ZREM', expiries, member)
end
while a < #ARGV do changes[arg()]() end
"""
)

# KEYS: key. ARGV: value, milliseconds.
PUT_IF_ABSENT = """
local current = redis.call('GET', KEYS[1])
if not current then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return current
"""

# KEYS: key. ARGV: is a value expected, expected value, is there a new value, new value, ms.
SWAP = """
local current = redis.call('GET', KEYS[1])
local expected = ARGV[1] == '1' and ARGV[2]
if current ~= expected then return 0 end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
else
  redis.call('DEL', KEYS[1])
end
return 1
"""

# KEYS: key. ARGV: by, milliseconds.
INCREMENT = """
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return total
"""

# In slices, since Lua's stack holds no more than some thousand arguments.
_DROP_EXPIRED = (
    _NOW
    + """
repeat
  local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)
  if #expired > 0 then
    redis.call('ZREM', KEYS[1], unpack(expired))
    redis.call('ZREM', KEYS[2], unpack(expired))
  end
until #expired < 1000
"""
)

# KEYS: scores, expiries.
COUNT = _DROP_EXPIRED + "return redis.call('ZCARD', KEYS[1])"

# KEYS: scores, expiries. ARGV: is newest first, minimum, limit.
MEMBERS = (
    _DROP_EXPIRED
    + """
if ARGV[1] == '1' then
  return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
end
return redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
"""
)
