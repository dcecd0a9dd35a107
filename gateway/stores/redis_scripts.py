"""The steps that Redis has to take as one, in Lua.

Of a key: ``v:`` its value, ``l:`` the list that it stands in. A list is two sorted sets of keys,
``s:`` by score and ``x:`` by expiry; both end with the last key. Times are Unix milliseconds of the
server.
"""

PREFIX = "olgw:"

_WRITING = (
    f"local V, L, S, X = '{PREFIX}v:', '{PREFIX}l:', '{PREFIX}s:', '{PREFIX}x:'"
    """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function unlist(key)
  local list = redis.call('GET', L .. key)
  if list then
    redis.call('ZREM', S .. list, key)
    redis.call('ZREM', X .. list, key)
    redis.call('DEL', L .. key)
  end
end

local function enlist(key, ttl, list, score)
  redis.call('SET', L .. key, list, 'PX', ttl)
  redis.call('ZADD', S .. list, score, key)
  redis.call('ZADD', X .. list, string.format('%.0f', now + ttl), key)
  local last = redis.call('ZRANGE', X .. list, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', S .. list, last)
  redis.call('PEXPIREAT', X .. list, last)
end

local a = 0
local function arg() a = a + 1; return ARGV[a] end

local changes = {}
function changes.delete(key)
  unlist(key)
  redis.call('DEL', V .. key)
end
function changes.put(key)
  unlist(key)
  local value, ttl = arg(), arg()
  redis.call('SET', V .. key, value, 'PX', ttl)
  return ttl
end
function changes.put_listed(key)
  enlist(key, changes.put(key), arg(), arg())
end
local function change()
  local kind = arg()
  changes[kind](arg())
end
"""
)

# ARGV: changes.
APPLY = _WRITING + "while a < #ARGV do change() end"

# ARGV: a change.
PUT_IF_ABSENT = (
    _WRITING
    + """
local current = redis.call('GET', V .. ARGV[2])
if not current then change() end
return current
"""
)

# ARGV: is a value expected, expected value, a change.
SWAP = (
    _WRITING
    + """
local expected = arg() == '1'
local value = arg()
if redis.call('GET', V .. ARGV[4]) ~= (expected and value) then return 0 end
change()
return 1
"""
)

# ARGV: key, by, milliseconds.
INCREMENT = (
    _WRITING
    + """
local key = arg()
local total = redis.call('INCRBY', V .. key, arg())
redis.call('PEXPIRE', V .. key, arg())
unlist(key)
return total
"""
)

# In slices, since Lua's stack holds no more than some thousand arguments.
_READING = (
    _WRITING
    + """
local list = arg()
repeat
  local expired = redis.call('ZRANGEBYSCORE', X .. list, '-inf', now, 'LIMIT', 0, 1000)
  if #expired > 0 then
    redis.call('ZREM', S .. list, unpack(expired))
    redis.call('ZREM', X .. list, unpack(expired))
  end
until #expired < 1000
"""
)

# ARGV: name.
COUNT = _READING + "return redis.call('ZCARD', S .. list)"

# ARGV: name, is newest first, minimum, limit.
LISTED = (
    _READING
    + """
local found
if arg() == '1' then
  found = redis.call('ZREVRANGEBYSCORE', S .. list, '+inf', arg(), 'LIMIT', 0, arg())
else
  found = redis.call('ZRANGEBYSCORE', S .. list, arg(), '+inf', 'LIMIT', 0, arg())
end
local values = {}
for _, key in ipairs(found) do
  values[#values + 1] = redis.call('GET', V .. key) or nil
end
return values
"""
)
