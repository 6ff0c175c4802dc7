"""Spectral entropy, coherence, energy, signature and the gate (design, 5.1 and 5.2)."""

import numpy as np
import numpy.typing as npt
import pytest

from actors.dreamer.measures import Meter, Planar, calibrated_gate, is_accepted
from actors.dreamer.seeding import Seeding
from schemas.colour import to_hsv, to_rgb
from schemas.inputs import InputSet

SHAPES = [(16, 16, 4), (32, 32, 4), (64, 64, 8)]


def noise(shape: tuple[int, int, int], seed: int) -> Planar:
    rows, cols, layers = shape
    return np.random.default_rng(seed).random((3, layers, rows, cols), dtype=np.float32)


def entropy_by_full_spectrum(tensor: Planar) -> float:
    """The definition, term by term, over the whole spectrum."""
    rows, cols = tensor.shape[2:]
    window = np.outer(*(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n) for n in (rows, cols)))
    entropies = []
    for plane in tensor.reshape(-1, rows, cols).astype(np.float64):
        power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2
        power = power.ravel()[1:]
        share = power / power.sum()
        share = share[share > 0]
        entropies.append(-(share * np.log(share)).sum() / np.log(rows * cols - 1))
    return float(np.mean(entropies))


@pytest.mark.parametrize("shape", [(16, 16, 2), (8, 9, 3), (7, 12, 1), (5, 5, 1)])
def test_spectral_entropy_is_that_of_the_whole_spectrum(shape: tuple[int, int, int]) -> None:
    # seed 000, section 3.2; the half spectrum of a real transform counts its inner columns twice
    tensor = noise(shape, 1)

    measures = Meter(*shape).measure(tensor)

    assert measures.spectral_entropy == pytest.approx(entropy_by_full_spectrum(tensor), abs=1e-11)
    assert measures.coherence == pytest.approx(1.0 - measures.spectral_entropy, abs=1e-12)


def test_entropy_of_one_layer_is_that_of_a_tensor_of_one_layer() -> None:
    tensor = noise((16, 16, 4), 2)

    of_layer = Meter(16, 16, 4).entropy_of_layer(tensor, 2)

    alone = Meter(16, 16, 1).measure(np.ascontiguousarray(tensor[:, 2:3]))
    assert of_layer == pytest.approx(alone.spectral_entropy, abs=1e-11)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_a_flat_field_has_entropy_zero(value: float) -> None:
    flat = np.full((3, 2, 12, 10), value, np.float32)

    measures = Meter(12, 10, 2).measure(flat)

    assert measures.spectral_entropy == 0.0
    assert measures.coherence == 1.0


def test_measuring_leaves_the_tensor_as_it_was_and_no_trace_in_the_meter() -> None:
    meter, tensor, other = Meter(16, 16, 2), noise((16, 16, 2), 3), noise((16, 16, 2), 4)
    before, first = tensor.copy(), meter.measure(tensor)

    meter.measure(other)
    again = meter.measure(tensor)

    assert again == first
    assert np.array_equal(tensor, before)


def test_energy_is_variation_per_edge_and_spread_of_saturation() -> None:
    # design, 5.2: columns of grey 0 and 1 in turn; every edge across has 3 channels of difference 1, every edge down 0
    stripes = np.zeros((3, 2, 4, 6), np.float32)
    stripes[..., 1::2] = 1.0
    edges_across, edges_down = 4 * 5, 3 * 6

    energy = Meter(4, 6, 2).measure(stripes).energy

    assert energy == pytest.approx(3.0 * edges_across / (edges_across + edges_down) + 0.1 * 0.25, abs=1e-7)


def test_energy_of_any_tensor_is_the_sum_over_its_edges_and_cells() -> None:
    tensor = noise((6, 7, 3), 8)
    wide = tensor.astype(np.float64)
    variation = np.abs(np.diff(wide, axis=2)).sum() + np.abs(np.diff(wide, axis=3)).sum()
    saturation = (wide.max(axis=0) - wide.min(axis=0)) / wide.max(axis=0)

    energy = Meter(6, 7, 3).measure(tensor).energy

    edges = 3 * (6 * 6 + 5 * 7)
    assert energy == pytest.approx(variation / edges + 0.1 * ((saturation - 0.5) ** 2).mean(), rel=1e-6)


def test_energy_does_not_grow_with_size() -> None:
    small, large = Meter(16, 16, 2).measure(noise((16, 16, 2), 5)), Meter(64, 64, 8).measure(noise((64, 64, 8), 5))

    assert large.energy == pytest.approx(small.energy, rel=0.05)


def test_a_pure_colour_has_the_energy_of_its_saturation_alone() -> None:
    red = np.zeros((3, 1, 4, 4), np.float32)
    red[0] = 1.0

    assert Meter(4, 4, 1).measure(red).energy == pytest.approx(0.1 * 0.25, abs=1e-9)


def test_signature_is_the_mean_colour_and_two_reds_are_not_cyan() -> None:
    # seed 000, section 3.2: half the cells have hue 350, half 10 degrees; a linear mean of hues would say 180
    tensor = np.zeros((3, 1, 4, 4), np.float32)
    tensor[:, :, :2] = np.array(to_rgb((350.0, 0.8, 0.9)), np.float32)[:, None, None, None]
    tensor[:, :, 2:] = np.array(to_rgb((10.0, 0.8, 0.9)), np.float32)[:, None, None, None]

    signature = Meter(4, 4, 1).measure(tensor).signature

    hue, _, _ = to_hsv(signature)
    assert signature == pytest.approx(tensor.astype(np.float64).mean(axis=(1, 2, 3)), abs=1e-12)
    assert min(hue, 360.0 - hue) < 1.0


def crops(inputs: InputSet, shape: tuple[int, int, int], count: int) -> list[npt.NDArray[np.float32]]:
    rows, cols, layers = shape
    seeding, tensors = Seeding(inputs, *shape), []
    for index in range(count):
        out = np.empty((3, layers, rows, cols), np.float32)
        seeding.seed("image", np.random.default_rng(index), out)
        tensors.append(out)
    return tensors


@pytest.mark.parametrize("shape", SHAPES)
def test_the_calibrated_gate_keeps_noise_out_and_lets_pictures_in(
    shape: tuple[int, int, int], sample_pictures: InputSet
) -> None:
    # design, 5.2: pictures of the sample set pass (>= 80 %), uniform noise does not (<= 5 %)
    meter = Meter(*shape)

    gate = calibrated_gate(meter, shape)

    noises = [is_accepted(meter.measure(noise(shape, seed)).coherence, gate) for seed in range(60)]
    pictures = [is_accepted(meter.measure(crop).coherence, gate) for crop in crops(sample_pictures, shape, 100)]
    assert np.mean(noises) <= 0.05
    assert np.mean(pictures) >= 0.80


def test_a_gate_lets_every_pure_colour_pass() -> None:
    # dossier, finding 6: a gate that passes noise and fails pure colours is a defect
    meter = Meter(16, 16, 2)
    gate = calibrated_gate(meter, (16, 16, 2))

    for hue in range(0, 360, 30):
        colour = np.array(to_rgb((float(hue), 1.0, 1.0)), np.float32)
        field = np.broadcast_to(colour[:, None, None, None], (3, 2, 16, 16)).copy()
        assert is_accepted(meter.measure(field).coherence, gate)


def test_the_gate_is_the_same_for_the_same_seed_and_stays_below_one() -> None:
    gates = [calibrated_gate(Meter(4, 4, 1), (4, 4, 1)) for _ in range(2)]

    assert gates[0] == gates[1]
    assert gates[0] < 1.0


def test_the_gate_itself_passes_and_the_next_lower_number_does_not() -> None:
    # seed 000, section 2: store if coherence >= threshold
    assert is_accepted(0.75, 0.75)
    assert not is_accepted(float(np.nextafter(np.float32(0.75), np.float32(0.0))), 0.75)
