"""Who may ask what a sealed record could answer, and what is everybody else told?

The same, whether or not there is such a record: "no record", by the gateway itself, with no question to the owner and
no look into any store (刑事诉讼法第286条; DOMAIN L50, L51, S3). Such questions are counted, so that compliance sees that
one was asked and never what the answer would have been.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.identifiers import NoticeId, agency_of
from gateway.policy.safeguards import SealedQuestions
from gateway.ports.storage import NoticeStorage
from gateway.services.gateway_notices import GatewayNotices
from gateway.services.keep import Keeper


class AnswerQuestion:
    def __init__(
        self,
        *,
        rules: Callable[[], SealedQuestions],
        notices: NoticeStorage,
        keeper: Keeper,
        tell: GatewayNotices,
    ) -> None:
        self._rules, self._notices, self._keeper, self._tell = rules, notices, keeper, tell

    async def __call__(self, notice: NoticeId) -> bool:
        """Answer an accepted query where the asker has no right to one. Repeating it changes nothing; nothing ends by it."""
        stored, rules = await self._notices.load(notice), self._rules()
        if stored is None or agency_of(stored.sender) in rules.may_ask:
            return False
        question = self._keeper.open(stored).data.get("query", {}).get("question")
        if question in rules.questions:
            data = {"in_reply_to": notice, "answer": {"code": rules.answer}}
            await self._tell("ANS", f"answer.{notice}", data)
        return False
