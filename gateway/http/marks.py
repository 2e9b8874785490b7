"""What is written on a request or an answer for the log, and by whom?"""

from __future__ import annotations

from aiohttp import web

OFFICE = web.RequestKey("office", str)  # the gate: the office id of an authenticated caller
CODE = web.ResponseKey("code", str)  # the problem table: the code of the problem
