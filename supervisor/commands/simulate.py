"""`supervisor simulate`: the whole loop in one process, in virtual time, with everything that can go wrong."""

import json
from typing import get_args

import click

from bus.simulation.plan import Policy
from supervisor.options import Number, json_option


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="Runs.")
@click.option(
    "--hours",
    type=Number(min=0.001, max=10_000.0),
    default=1.0,
    show_default=True,
    metavar="H",
    help="Virtual time of each run; a quiet end follows, in which all must settle.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="S", help="First seed.")
@click.option("--policy", type=click.Choice(get_args(Policy)), help="Fsync policy.  [default: drawn by each seed]")
@click.option("--real", is_flag=True, help="The real cores instead of light ones: slow, without power cuts.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one a core]")
@json_option
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - the options of the command
    context: click.Context,
    /,
    seeds: int,
    hours: float,
    seed: int,
    policy: Policy | None,
    real: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Live through hours of faults in seconds, and check that nothing is lost, doubled or out of order.

    Each seed draws its own machine and its own mix of faults: messages dropped, late, overtaken, doubled and astray,
    processes killed at any touch of journal, store or network, power cuts, a full disk, clock jumps, standstills. The
    same seeds give the same trace. Exit code 0: every invariant held; 1: one broke, and the shortest run that was
    found to break it is shown.

    \b
    Examples:
      supervisor simulate --seeds 1000 --hours 1
      supervisor simulate --seeds 1 --seed 17 --hours 1 --json
      supervisor simulate --real --seeds 4 --hours 0.05
    """
    from supervisor.recorded.progress import shown_progress
    from supervisor.simulating import Wanted, draw_simulation, simulate, usable_cores

    wanted = Wanted(seeds, hours, seed, policy, real, jobs or usable_cores())
    with shown_progress(seeds, "simulating") as advance:
        report = simulate(wanted, advance)
    click.echo(json.dumps(report.tree(), indent=2) if as_json else draw_simulation(report))
    context.exit(report.exit_code)
