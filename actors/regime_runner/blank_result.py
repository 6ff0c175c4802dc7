"""The result of a trial of which there is nothing to tell.

In: the order of the trial, what became of it, why. Out: a result in which every figure is null with that reason.
"""

from schemas.regimes import Noise, Reading, TrialOrder, TrialResult, TrialStatus


def blank_result(order: TrialOrder, status: TrialStatus, why: str) -> TrialResult:
    """The result of a trial of which there is nothing to tell but why."""
    nothing = Reading(value=None, unit="share", source=None, reason=why)
    return TrialResult(
        trial_id=order.trial_id,
        status=status,
        exit_code=None,
        wall_s=0.0,
        cpu_s=0.0,
        max_rss_kib=0,
        stdout="",
        stderr_tail=why,
        oom=Reading(value=None, unit="kills", source=None, reason=why),
        argv=order.argv,
        background=order.background,
        env=order.env,
        applied={},
        noise=Noise(psi_cpu_avg=nothing, steal_share=nothing, load1=nothing),
        written_bytes=0,
    )
