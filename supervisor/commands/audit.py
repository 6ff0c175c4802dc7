"""`supervisor audit`: prove from the journals of a run that every input of every actor was allowed."""

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option


@click.command()
@click.argument("run", default="latest", metavar="[RUN]")
@click.option("--actor", "actors", multiple=True, metavar="NAME", help="Judge this actor only; may be repeated.")
@home_option
@json_option
@click.pass_context
def command(context: click.Context, /, run: str, actors: tuple[str, ...], home: Home, as_json: bool) -> None:
    """Prove that every input of every actor of RUN was allowed, and show who heard what from whom.

    RUN is a run id, a unique beginning of one, its ordinal, or `latest`. Every message that a journal names as an
    input must stand in the journal of its sender, whole, addressed to this actor, in order, and be allowed by the
    topology; every message that was said must be allowed as well. Exit code 0: all of it is so; 1: some is not, with
    step, segment and offset; 3: as far as the journals can be read, but parts are damaged or missing. `count` is what
    the receiver took, `refused` what it did not. The box and the keys that the run had are shown as well.

    \b
    Examples:
      supervisor audit
      supervisor audit 20261120T08 --actor dreamer
      supervisor audit --json | jq '.dreamers[]'
    """
    from supervisor.recorded.audit_text import draw_audit
    from supervisor.recorded.auditing import AuditRequest, audit_run, audited_bytes
    from supervisor.recorded.progress import shown_progress

    request = AuditRequest(home, run, actors)
    with shown_progress(audited_bytes(request), "auditing") as watch:
        report = audit_run(request, watch)
    click.echo(report.model_dump_json(indent=2) if as_json else draw_audit(report))
    context.exit(report.exit_code)
