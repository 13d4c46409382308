"""Checks of a server before it gets work: does it serve this model, and are its tokens the model's?

Prompts are sent as token ids to the plain completions endpoint, bypassing the server's chat template
and its switch of thinking. What can still go wrong is checked: another model, prompts that are
tokenised again or echoed, text without its tags, a missing adapter. Each is a ``Fault`` of one
sentence. Not covered: weights that differ under the same name and tokenizer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from deimos.engines.openai.servers import SEEDS_HINT, Card
from deimos.engines.openai.stream import Fault, is_ids, read_refusal, read_transport_error

TEXT = "One two three four five six seven"
TOKENS = 4
"""Tokens that a probe decodes."""


@dataclass(frozen=True)
class Probe:
    """What a server is checked for."""

    path: str
    """The model's folder or Hub id."""
    model: str | None
    """The name it should be served under; None: ``path``."""
    adapter: str | None
    """Folder of a LoRA adapter to be served on top."""
    adapter_model: str | None
    """The name that the adapter should be served under; None: the server is asked to load it."""
    tokenizer: Any
    token_ids: bool | None
    seeds: bool

    async def look(self, client: httpx2.AsyncClient, url: str) -> Card:
        """Probe a server.

        Raises:
            Fault: it does not answer, or does not fit the recipe.
        """
        try:
            listed = await _get(client, f"{url}/models")
        except Fault as fault:
            if fault.status == 404 and not url.endswith("/v1"):
                hint = f"{fault} (its base URL may be {url}/v1)"
                raise Fault(fault.kind, hint, status=404) from fault
            raise
        cards = _cards(listed)
        card = await self._card(client, url, cards)
        software = await _software(client, url, card)
        ids = await self._try(client, url, str(card["id"]))
        length = card.get("max_model_len")
        return Card(str(card["id"]), ids, software, length if isinstance(length, int) else None)

    async def _card(
        self, client: httpx2.AsyncClient, url: str, cards: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """The server's listing of the model that requests will name."""
        wanted, key = self.model or self.path, "model"
        if self.adapter is not None:
            wanted, key = self.adapter_model or name_adapter(Path(self.adapter)), "adapter_model"
        names = {wanted, str(Path(wanted).resolve())} if Path(wanted).is_dir() else {wanted}
        for card in cards:
            if names & {card["id"], card.get("root")}:
                return card
        if self.adapter is not None and self.adapter_model is None:
            await self._load_adapter(client, url, wanted)
            return {"id": wanted}
        has = ", ".join(repr(card["id"]) for card in cards) or "no model at all"
        raise Fault(
            "unfit", f"does not serve {wanted!r} but {has}: set runtime.engine_options.{key}"
        )

    async def _load_adapter(self, client: httpx2.AsyncClient, url: str, name: str) -> None:
        body = {"lora_name": name, "lora_path": str(Path(self.adapter or "").resolve())}
        answer = ""
        for path in (f"{url}/load_lora_adapter", f"{url.removesuffix('/v1')}/load_lora_adapter"):
            try:
                async with client.stream("POST", path, json=body) as response:
                    if response.status_code == 200:
                        return
                    answer = str(await read_refusal(response))
            except httpx2.HTTPError as e:
                raise read_transport_error(e) from e
        raise Fault(
            "unfit",
            f"does not load the adapter {self.adapter!r} ({answer}): serve it and set "
            "runtime.engine_options.adapter_model to its name, or let vLLM load it "
            "(--enable-lora, VLLM_ALLOW_RUNTIME_LORA_UPDATING=1)",
        )

    async def _try(self, client: httpx2.AsyncClient, url: str, model: str) -> bool:
        """Decode a few tokens; returns whether their ids came."""
        prompt = self.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
        body = {
            "model": model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0.0,
            "return_token_ids": True, "skip_special_tokens": False,
            **({"seed": 1} if self.seeds else {}),
        }  # fmt: skip
        try:
            answer = await _post(client, f"{url}/completions", body)
        except Fault as fault:
            if fault.kind == "request":
                raise Fault("unfit", f"refuses a prompt of token ids: it {fault}") from fault
            if fault.reached and self.seeds and (fault.status or 500) >= 500:
                raise Fault("server", f"{fault} ({SEEDS_HINT})") from fault
            raise
        choice = _first_choice(answer)
        text, ids = str(choice.get("text") or ""), choice.get("token_ids")
        counted = (answer.get("usage") or {}).get("prompt_tokens")
        if isinstance(counted, int) and counted != len(prompt):
            raise Fault(
                "unfit",
                f"counts {counted} prompt tokens where {len(prompt)} were sent: it does not take "
                "prompts of token ids as they are",
            )
        if text.lstrip().startswith(TEXT) or (is_ids(ids) and len(ids) > TOKENS):
            raise Fault("unfit", "echoes the prompt in its completions")
        if not is_ids(ids) or not ids:
            return False
        self._check_vocabulary(text, ids)
        return self.token_ids is not False

    def _check_vocabulary(self, text: str, ids: Sequence[int]) -> None:
        """Check that its ids spell its text in our tokenizer; the text may lack the last token."""
        spelled = ("".join(self._spell(part).split()) for part in (ids, ids[:-1]))
        bare = "".join(text.split())
        if bare and "\ufffd" not in bare and bare not in spelled:
            raise Fault(
                "unfit",
                f"sends the text {text!r} with token ids that the recipe's tokenizer decodes to "
                f"{self._spell(ids)!r}: it serves another model",
            )

    def _spell(self, ids: Sequence[int]) -> str:
        try:
            return self.tokenizer.decode(list(ids), skip_special_tokens=False)
        except (OverflowError, IndexError, ValueError, TypeError):
            return ""


async def check_tag(
    client: httpx2.AsyncClient, url: str, body: dict[str, Any], tag_id: int, tag: str
) -> None:
    """Make a server decode a closing tag, and check that its text keeps it.

    Args:
        client: sends the request.
        url: the server's base URL.
        body: model and prompt.
        tag_id: the tag's token.
        tag: its text.

    Raises:
        Fault: it strips the tag, or cannot be asked. A server that ignores ``logit_bias`` passes.
    """
    asked = {
        **body, "max_tokens": 1, "temperature": 0.0, "logit_bias": {str(tag_id): 100},
        "skip_special_tokens": False, "stream": False,
    }  # fmt: skip
    try:
        text = str(_first_choice(await _post(client, f"{url}/completions", asked)).get("text"))
    except Fault as fault:
        if fault.kind == "request":
            return  # it does not take logit_bias
        raise
    if not text.strip():
        raise Fault(
            "unfit", f"strips {tag} from its text, so a thought could not be told from an answer"
        )


def name_adapter(folder: Path) -> str:
    """A name that only this adapter has: a hash of its files."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("adapter_*")):
        digest.update(file.read_bytes())
    return f"deimos-{digest.hexdigest()[:12]}"


def _cards(listed: Any) -> list[dict[str, Any]]:
    data = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(data, list):
        raise Fault("server", "lists no models under /models")
    return [c for c in data if isinstance(c, dict) and isinstance(c.get("id"), str)]


def _first_choice(answer: Any) -> dict[str, Any]:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Fault("server", "answered a completion request without choices")
    return choices[0]


async def _software(client: httpx2.AsyncClient, url: str, card: dict[str, Any]) -> str:
    owner = str(card.get("owned_by") or "unknown")
    try:
        version = await _get(client, f"{url.removesuffix('/v1')}/version")
    except Fault:
        return owner
    number = version.get("version") if isinstance(version, dict) else None
    return f"{owner}-{number}" if isinstance(number, str) else owner


async def _get(client: httpx2.AsyncClient, url: str) -> Any:
    return await _json(client, "GET", url, None)


async def _post(client: httpx2.AsyncClient, url: str, body: dict[str, Any]) -> Any:
    return await _json(client, "POST", url, body)


async def _json(
    client: httpx2.AsyncClient, method: str, url: str, body: dict[str, Any] | None
) -> Any:
    try:
        async with client.stream(method, url, json=body) as response:
            if response.status_code != 200:
                raise await read_refusal(response)
            await response.aread()
            return response.json()
    except httpx2.HTTPError as e:
        raise read_transport_error(e) from e
    except (ValueError, RecursionError) as e:
        raise Fault("server", f"answered {url} with something that is not JSON") from e
