"""`deimos serve`: its arguments, and what each combination of them starts."""

from __future__ import annotations

from typing import Annotated

import typer

from deimos.cli.options import CloseTagOption, OpenTagOption, SetOption


def serve(
    target: Annotated[
        str | None,
        typer.Argument(metavar="RUN|MODEL|lab", help="Run folder, model folder, Hub id, or lab."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others need keys.")
    ] = "127.0.0.1",
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Stand before this server; load no model.")
    ] = None,
    emit: Annotated[
        str | None,
        typer.Option(metavar="vllm-sr", help="Print a Semantic Router config; serve nothing."),
    ] = None,
    log_prompts: Annotated[
        bool, typer.Option("--log-prompts", help="Write what is asked into the log.")
    ] = False,
    sets: SetOption = None,
    open_tag: OpenTagOption = None,
    close_tag: CloseTagOption = None,
) -> None:
    """Answer requests over HTTP (OpenAI's API, a chat page), thinking where it pays."""
    from deimos.recipe import RecipeError
    from deimos.serve import require_extra
    from deimos.thinking import Tags

    require_extra()
    from deimos.serve.start import ListenAddress, forward
    from deimos.serve.start import emit as write_emitted
    from deimos.serve.start import serve as serve_model
    from deimos.serve.target import find_target

    tags = Tags(open_tag or "<think>", close_tag or "</think>") if open_tag or close_tag else None
    found = None if target is None else find_target(target, sets or [], tags)
    if emit is not None:
        return typer.echo(write_emitted(emit, found, upstream), nl=False)
    address = ListenAddress(host, port)
    if upstream is not None:
        return forward(upstream, found, address, typer.echo, log_prompts=log_prompts)
    if found is None:
        raise RecipeError("say what to serve: a run folder, a model's folder or Hub id, or lab")
    return serve_model(found, address, typer.echo, log_prompts=log_prompts)
