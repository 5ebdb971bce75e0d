"""What a supervisor answers when it refuses: OTP's terms, and what they mean in words."""

from __future__ import annotations

from .._errors import Reason, format_reason

_WORDS = {
    "not_found": "the supervisor has no such child",
    "running": "the child is running; terminate it first",
    "restarting": "the child is being restarted; terminate it first",
    "already_present": "a child with this id exists but does not run; "
    "use restart_child, or delete_child first",
    "already_started": "a child with this id is running",
    "simple_one_for_one": "children of a simple_one_for_one supervisor are named by pid "
    "and only started and terminated",
    "missing_id": "a child specification needs the key 'id'",
    "missing_start": "a child specification needs the key 'start'",
    "invalid_child_spec": "expected a ChildSpec or a mapping with the same keys",
    "invalid_args": "start_child of a simple_one_for_one supervisor takes a list of arguments",
    "invalid_id": "an id must be hashable",
    "invalid_mfa": "start must be (function, args)",
    "invalid_restart_type": "restart must be 'permanent', 'transient' or 'temporary'",
    "invalid_shutdown": "shutdown must be seconds >= 0, math.inf or 'brutal_kill'",
    "invalid_child_type": "type must be 'worker' or 'supervisor'",
    "invalid_modules": "modules must be a sequence of names, or 'dynamic'",
    "invalid_module": "each of modules must be a name",
    "invalid_significant": "significant must be True or False",
    "invalid_backoff": "backoff must be a Backoff with 0 <= first <= limit, factor >= 1 and "
    "jitter from 0 to 1; only children with ids can have one",
    "invalid_budget": "budget must be a Budget with whole numbers, intensity >= 0 and "
    "period >= 1; only children with ids can have one",
    "bad_combination": "these two exclude each other",
    "duplicate_child_name": "two children have this id",
    "badarg": "expected a list of child specifications",
    "max_children": "the supervisor has as many children as it may have",
    "invalid_max_children": "max_children must be a whole number >= 0, or math.inf",
    "invalid_extra_arguments": "extra_arguments must be a tuple or a list",
    "invalid_type": "flags must be a SupFlags",
    "invalid_strategy": "strategy must be 'one_for_one', 'one_for_all', 'rest_for_one' "
    "or 'simple_one_for_one'",
    "invalid_intensity": "intensity must be a whole number >= 0",
    "invalid_period": "period must be a whole number of seconds >= 1",
    "invalid_auto_shutdown": "auto_shutdown must be 'never', 'any_significant' "
    "or 'all_significant'",
}


class SupervisorError(Exception):
    """A supervisor refused a request: Erlang's ``{error, Reason}``.

    Attributes
    ----------
    reason: OTP's term, e.g. ``"not_found"``, ``("already_started", pid)``,
        ``("invalid_shutdown", -1)``; a failed start of a child is ``(reason, spec)``.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        from .spec import ChildSpec

        match self.reason:
            case (why, ChildSpec(id=id)):
                return f"child {id!r} did not start: {format_reason(why)}"
        tag = self.reason[0] if isinstance(self.reason, tuple) and self.reason else self.reason
        words = _WORDS.get(tag) if isinstance(tag, str) else None
        text = format_reason(self.reason)
        return f"{text}: {words}" if words else text
