"""`supervisor graph`: who may say what to whom, drawn from the topology."""

import click

from bus.diagram import FORMATS, Format, draw


@click.command()
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="What to draw.")
def command(form: Format) -> None:
    """Draw who may say what to whom.

    The picture is drawn from the table that the sockets obey. DOT is for Graphviz, Mermaid for Markdown pages.

    \b
    Example:
      supervisor graph --format dot | dot -Tsvg -o oneiros.svg
    """
    click.echo(draw(form), nl=False)
