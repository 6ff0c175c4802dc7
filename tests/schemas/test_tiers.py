"""What an operator may opt in to, and what nobody may."""

import pytest

from schemas.tiers import TIER_B, TierRefusedError, check_opt_in, refuse_tier_c, why_never

NEVER = [
    "cpu_undervolt_mv",
    "gpu_clock_offset",
    "mem_clock_offset",
    "vdd",
    "vddq",
    "vpp",
    "vdd2",
    "tCL",
    "tRCD",
    "tREFI",
    "command_rate",
    "pl1",
    "pl2",
    "cpu_ppt",
    "edc",
    "tdc",
    "gpu_power_limit_pct",
    "fan_pwm",
    "fan1_pwm",
    "fans",
    "msr",
    "wrmsr",
    "pcie_bar_size",
    "aspm_policy",
    "apst",
    "nvme_feature",
    "noatime",
    "commit_interval",
    "mkfs",
    "umount",
    "swapoff",
    "zram_size",
    "irq_balance",
    "stop_service",
    "modprobe",
    "smt_enabled",
    "c_states",
    "package_c_state",
    "microcode",
    "mitigations",
    "core-voltage",
]


@pytest.mark.parametrize("name", NEVER)
def test_a_name_of_the_third_tier_is_an_error_with_and_without_opt_in(name: str) -> None:
    with pytest.raises(TierRefusedError, match="no opt-in allows it"):
        check_opt_in(["governor", name])
    with pytest.raises(TierRefusedError, match=name):
        refuse_tier_c([name])


@pytest.mark.parametrize(
    "name", ["threads", "fan_out", "service_time_ms", "amount", "nice", "block_kb", "placement", "trimmed", "batch"]
)
def test_a_gene_of_a_process_is_none_of_them(name: str) -> None:
    assert why_never(name) is None


def test_what_can_be_opted_in_to_is_kept_in_order_and_once() -> None:
    assert check_opt_in(["thp", "governor", "thp"]) == ("thp", "governor")
    assert check_opt_in(TIER_B) == tuple(TIER_B)


def test_an_unknown_name_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(TierRefusedError, match="did you mean 'governor'"):
        check_opt_in(["govenor"])
    with pytest.raises(TierRefusedError, match="known are"):
        check_opt_in(["colour"])
