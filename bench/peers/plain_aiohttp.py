"""An aiohttp proxy as people write it: an Application, a ClientSession, PyJWT for every request."""

import sys
from pathlib import Path

import aiohttp
import jwt
from aiohttp import web

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "authorization"}


async def handle(request: web.Request) -> web.StreamResponse:
    app = request.app
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        return web.json_response({"error": "token"}, status=401)
    try:
        jwt.decode(token, app["key"], algorithms=["RS256"], audience="olconnect")
    except jwt.InvalidTokenError:
        return web.json_response({"error": "token"}, status=401)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
    headers["Authorization"] = app["basic"]
    async with app["session"].request(
        request.method,
        app["upstream"] + request.path_qs,
        headers=headers,
        data=request.content if request.body_exists else None,
    ) as answer:
        response = web.StreamResponse(status=answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                response.headers.add(name, value.replace(app["upstream"], "http://gateway.test"))
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def session(app: web.Application):  # type: ignore[no-untyped-def]
    app["session"] = aiohttp.ClientSession()
    yield
    await app["session"].close()


def main() -> None:
    port, upstream, basic, key = sys.argv[1:]
    app = web.Application(client_max_size=2**31)
    app["upstream"], app["basic"], app["key"] = upstream, basic, Path(key).read_text()
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main()
