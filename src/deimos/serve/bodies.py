"""Bodies of requests: what of OpenAI's fields a model on this machine answers to.

Fields that would change the answer and that cannot be honoured are refused, never ignored; those that
change nothing here (``user``, ``metadata``) are accepted. Not covered: limits on sizes, which the
guard sets before a body gets here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from deimos.recipe.errors import describe_fault, show_value
from deimos.recipe.section import Section
from deimos.serve.http import RequestFault

ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_CHOICES = 128
MOST_STOPS = 16
OWN_ARGUMENTS = frozenset(
    {
        "add_generation_prompt", "chat_template", "continue_final_message", "conversation",
        "documents", "max_length", "messages", "padding", "return_assistant_tokens_mask",
        "return_dict", "return_tensors", "strftime_now", "tokenize", "tokenizer_kwargs", "tools",
        "truncation",
    }
)  # fmt: skip
"""Arguments of rendering that a request must not give: they are not its template's."""
Probability = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
BodyType = TypeVar("BodyType", bound="CommonBody")


class StreamOptions(Section):
    """What a stream says beside its tokens."""

    include_usage: bool = False
    continuous_usage_stats: bool | None = None
    """Beside every text the tokens so far, as vLLM sends them."""


class CommonBody(Section):
    """What both kinds of request have; null is the default everywhere."""

    model: str | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    """-1 and 0 keep all tokens."""
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    stop: Any = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    return_token_ids: bool | None = None
    """Beside each choice the ids that were sampled, as vLLM sends them."""
    skip_special_tokens: bool | None = None
    """Makes no difference here: the tags of the thought are in neither text."""
    logprobs: Any = None
    logit_bias: Any = None
    ignore_eos: Any = None
    stop_token_ids: Any = None
    user: Any = None
    metadata: Any = None

    @property
    def stops(self) -> list[str]:
        """Texts that end an answer."""
        return [self.stop] if isinstance(self.stop, str) else [*(self.stop or ())]

    @field_validator("stop")
    @classmethod
    def _texts(cls, stop: Any) -> Any:
        texts = [stop] if isinstance(stop, str) else stop
        fits = isinstance(texts, list) and len(texts) <= MOST_STOPS
        if stop is None or (fits and all(isinstance(t, str) and t for t in texts)):
            return stop
        wanted = f"a text or a list of at most {MOST_STOPS} texts, none of them empty"
        raise ValueError(f"stop = {show_value(stop)}: must be {wanted}")

    @field_validator(
        "logprobs", "logit_bias", "top_logprobs", "echo", "suffix", "ignore_eos", "stop_token_ids",
        check_fields=False,
    )  # fmt: skip
    @classmethod
    def _not_here(cls, value: Any, info: Any) -> Any:
        if value not in (None, False, 0, {}, [], ""):
            name, shown = info.field_name, show_value(value)
            raise ValueError(f"{name} = {shown}: is not offered by this server; leave it out")
        return value

    @model_validator(mode="after")
    def _options_of_a_stream(self) -> CommonBody:
        if self.stream_options and not self.stream:
            raise ValueError("stream_options goes with stream = true; leave it out")
        return self


class ChatBody(CommonBody):
    """The body of ``/v1/chat/completions``."""

    messages: list[dict[str, Any]] = Field(min_length=1)
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    tools: list[dict[str, Any]] | None = None
    """Given to the chat template as they are."""
    tool_choice: Any = None
    parallel_tool_calls: Any = None
    response_format: Any = None
    top_logprobs: Any = None
    reasoning_effort: str | None = None
    """Given to the chat template; ``none`` turns thinking off, as vLLM takes it."""
    chat_template_kwargs: dict[str, Any] | None = None
    include_reasoning: bool | None = None
    thinking_token_budget: Annotated[int, Field(ge=0)] | None = None
    """Tokens after which a thought is closed, so that the answer follows."""
    store: Any = None
    service_tier: Any = None
    prediction: None = None
    modalities: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None

    @property
    def budget(self) -> int | None:
        """Tokens of the completion, thought included, at most."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def template_arguments(self) -> dict[str, Any]:
        """What the chat template is given beside the messages."""
        given = dict(self.chat_template_kwargs or {})
        if self.reasoning_effort is not None:
            given.setdefault("reasoning_effort", self.reasoning_effort)
        if self.tools and self.tool_choice != "none":
            given["tools"] = self.tools
        return given

    @field_validator("messages")
    @classmethod
    def _readable(cls, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_read_message(f"messages.{at}", m) for at, m in enumerate(messages)]

    @field_validator("chat_template_kwargs")
    @classmethod
    def _the_templates(cls, given: dict[str, Any] | None) -> dict[str, Any] | None:
        for name in given or ():
            if name in OWN_ARGUMENTS or name.startswith("_"):
                raise ValueError(
                    f"chat_template_kwargs.{name}: must be an argument of the model's own template"
                )
        return given

    @field_validator("tool_choice")
    @classmethod
    def _not_forced(cls, choice: Any) -> Any:
        if choice not in (None, "auto", "none"):
            raise ValueError(f"tool_choice = {show_value(choice)}: must be auto or none")
        return choice

    @field_validator("response_format")
    @classmethod
    def _text(cls, wanted: Any) -> Any:
        if wanted not in (None, {"type": "text"}):
            shown = show_value(wanted)
            raise ValueError(f'response_format = {shown}: must be {{"type": "text"}} or left out')
        return wanted

    @field_validator("modalities")
    @classmethod
    def _text_alone(cls, wanted: Any) -> Any:
        if wanted not in (None, ["text"]):
            raise ValueError(f'modalities = {show_value(wanted)}: must be ["text"] or left out')
        return wanted


class CompletionBody(CommonBody):
    """The body of ``/v1/completions``: a text that is continued as it is."""

    prompt: Any
    """A text, token ids, or a list of either."""
    best_of: Literal[1] | None = None
    echo: Any = None
    suffix: Any = None

    @field_validator("prompt")
    @classmethod
    def _texts_or_ids(cls, prompt: Any) -> Any:
        if not _list_prompts(prompt):
            wanted = "a text, a list of token ids, or a list of at most 128 of either"
            raise ValueError(f"prompt = {show_value(prompt)}: must be {wanted}, none of them empty")
        return prompt

    @property
    def prompts(self) -> list[str | list[int]]:
        """Texts, or token ids."""
        return _list_prompts(self.prompt)


def check_body(kind: type[BodyType], data: Mapping[str, Any]) -> BodyType:
    """The body of a request, from its JSON object.

    Raises:
        RequestFault: a field is not accepted.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as e:
        fault = e.errors()[0]
        param = next((str(part) for part in fault["loc"]), None)
        if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
            near = difflib.get_close_matches(str(param), kind.model_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "this path does not take it"
            raise RequestFault(400, f"{param}: unknown field; {hint}", param=param) from e
        raise RequestFault(400, describe_fault(kind, e), param=param) from e


def _list_prompts(prompt: Any) -> list[str | list[int]]:
    """The prompts of a field; none if it is not accepted."""

    def is_one(value: Any) -> bool:
        if isinstance(value, str):
            return value != ""
        return isinstance(value, list) and value != [] and all(type(i) is int for i in value)

    if is_one(prompt):
        return [prompt]
    several = isinstance(prompt, list) and len(prompt) <= MOST_CHOICES and all(map(is_one, prompt))
    return list(prompt) if several else []


def _read_message(name: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as chat templates take it: parts of text put together, all else as it came."""
    role = message.get("role")
    if role not in ROLES:
        raise ValueError(f"{name}.role = {show_value(role)}: must be one of {', '.join(ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        content = _join_parts(f"{name}.content", content)
    elif content is None and role == "assistant":
        content = ""  # it called tools, or was cut inside its thought
    elif not isinstance(content, str):
        raise ValueError(f"{name}.content = {show_value(content)}: must be text")
    return {**message, "content": content}


def _join_parts(name: str, parts: Sequence[Any]) -> str:
    texts = []
    for at, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            shown = show_value(kind if kind else part)
            raise ValueError(f"{name}.{at} = {shown}: must be a part of type text, with its text")
        texts.append(part["text"])
    return "".join(texts)
