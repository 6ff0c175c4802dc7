"""Pictures and facts of the user: taken in order, decoded once, and what is left out is said."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from schemas.inputs import InputSet
from schemas.settings import RunSettings
from supervisor.errors import InputsRefusedError
from supervisor.inputs import SAMPLE, prepare_inputs, store_inputs

SIDE = 64


@pytest.fixture
def folder(tmp_path):
    """A folder with two good pictures, `a.png` and `z.png`."""
    made = tmp_path / "pictures"
    made.mkdir()
    save(made / "a.png", seed=1)
    save(made / "z.png", seed=2)
    return made


def noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def save(path, seed=1, width=80, height=64):
    noise(width, height, seed).save(path)


def settings(images="", factoids="", **changes) -> RunSettings:
    values = {"seed": 1, "images": str(images), "factoids": str(factoids), "image_side": SIDE, "max_images": 256}
    return RunSettings(**(values | changes))


def names_of(prepared) -> list[str]:
    return [picture.name for picture in prepared.inputs.pictures]


def png(width: int, height: int, body: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def test_the_sample_set_is_taken_whole():
    prepared = prepare_inputs(settings(image_side=192))

    assert len(prepared.inputs.pictures) >= 7
    assert 50 <= len(prepared.inputs.factoids) <= 100
    assert prepared.notices == ()


def test_the_sample_set_is_small_and_each_picture_is_attributed():
    attribution = (SAMPLE / "ATTRIBUTION.md").read_text(encoding="utf-8")
    pictures = sorted((SAMPLE / "pictures").iterdir())

    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) <= 3_000_000
    for path in pictures:
        assert attribution.count(f"`{path.name}`") == 1


def test_sample_pictures_are_colour_pictures_that_hold_a_large_tensor_in_each_region():
    # design, 5.15: everything is tested at 64x64x8 too
    for picture in prepare_inputs(settings(image_side=192)).inputs.pictures:
        pixels = picture.pixels("train").astype(int)
        assert np.abs(pixels[..., 0] - pixels[..., 2]).mean() > 1, picture.name
        for region in ("train", "probe", "test"):
            assert min(picture.pixels(region).shape[:2]) >= 64


def test_pictures_come_in_order_of_their_names(folder):
    save(folder / "M.jpg", seed=3)
    save(folder / "b.webp", seed=4)

    assert names_of(prepare_inputs(settings(folder))) == ["M.jpg", "a.png", "b.webp", "z.png"]


def test_the_same_folder_gives_the_same_set(folder):
    first, second = prepare_inputs(settings(folder)), prepare_inputs(settings(folder))

    assert first.sha256 == second.sha256
    assert first.content == second.content


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((80, 64), (80, 64)),
        ((128, 128), (64, 64)),
        ((32, 48), (64, 96)),
        ((640, 64), (128, 64)),
        ((64, 640), (64, 128)),
        ((1001, 333), (128, 64)),
    ],
)
def test_the_shorter_side_is_as_set_and_the_longer_at_most_twice_that(folder, size, expected):
    save(folder / "a.png", seed=1, width=size[0], height=size[1])

    picture = prepare_inputs(settings(folder)).inputs.pictures[0]

    assert (picture.width, picture.height) == expected
    assert len(picture.rgb) == picture.width * picture.height * 3


def test_of_a_long_picture_the_middle_is_kept(folder):
    pixels = np.zeros((SIDE, 4 * SIDE, 3), np.uint8)
    pixels[:, SIDE : 3 * SIDE] = (10, 200, 30)
    Image.fromarray(pixels).save(folder / "a.png")

    picture = prepare_inputs(settings(folder)).inputs.pictures[0]

    assert set(np.frombuffer(picture.rgb, np.uint8).reshape(-1, 3).T.ravel()) == {10, 200, 30}


def test_the_orientation_that_a_camera_recorded_is_applied(folder):
    upright = noise(96, 64, seed=5)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.rotate(90, expand=True).save(folder / "a.png", exif=exif)

    picture = prepare_inputs(settings(folder)).inputs.pictures[0]

    assert (picture.width, picture.height) == (96, 64)
    assert picture.rgb == upright.tobytes()


def test_transparency_is_laid_over_black(folder):
    layered = np.full((SIDE, SIDE, 4), 200, np.uint8)
    layered[..., 3] = 0
    layered[: SIDE // 2, :, 3] = 255
    Image.fromarray(layered).save(folder / "a.png")

    picture = prepare_inputs(settings(folder)).inputs.pictures[0]
    pixels = np.frombuffer(picture.rgb, np.uint8).reshape(SIDE, SIDE, 3)

    assert (pixels[: SIDE // 2] == 200).all()
    assert (pixels[SIDE // 2 :] == 0).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "CMYK", "I;16", "RGBA"])
def test_pictures_of_every_common_mode_become_rgb(folder, mode):
    grey = np.full((SIDE, SIDE), 128, np.uint8)
    picture = Image.fromarray(grey.astype(np.uint16) << 8) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    picture.save(folder / ("a.tif" if mode == "CMYK" else "b.png"))

    prepared = prepare_inputs(settings(folder))

    assert prepared.left_out.pictures == ()
    assert len(prepared.inputs.pictures) == 3


def test_sixteen_bit_samples_keep_their_brightness(folder):
    Image.fromarray(np.full((SIDE, SIDE), 0x80FF, np.uint16)).save(folder / "a.png")

    assert set(prepare_inputs(settings(folder)).inputs.pictures[0].rgb) == {0x80}


def test_an_animation_gives_its_first_frame(folder):
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])

    picture = prepare_inputs(settings(folder)).inputs.pictures[0]

    assert picture.name == "a.gif"
    assert set(picture.rgb) == {250, 0}
    assert picture.rgb[0] == 250


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"not a picture at all", "not a picture in a known format"),
        (png(64, 64)[:40], "its head is damaged"),
        (png(64, 64, b"\0" * 100), "image file is truncated"),
        (png(8, 8, b"\0" * 8 * 25), "at least 16 x 16"),
        (png(0, 64), "its head is damaged"),
        (png(12_000, 12_000), "too large: 144 megapixels, at most 134"),
        (png(60_000, 60_000), "too large: 3600 megapixels, at most 134"),
        (png(2**31 - 1, 2**31 - 1), "too large: "),
    ],
    ids=["empty", "text", "cut", "truncated", "tiny", "no-width", "large", "bomb", "absurd"],
)
def test_a_bad_picture_is_left_out_by_name_and_reason_and_the_others_are_taken(folder, content, reason):
    (folder / "bad.png").write_bytes(content)

    prepared = prepare_inputs(settings(folder))

    ((name, why),) = prepared.left_out.pictures
    assert name == "bad.png"
    assert reason in why
    assert names_of(prepared) == ["a.png", "z.png"]


def test_a_truncated_jpeg_is_left_out(folder):
    save(folder / "cut.jpg", width=400, height=300)
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])

    ((name, why),) = prepare_inputs(settings(folder)).left_out.pictures

    assert name == "cut.jpg"
    assert "truncated" in why


def test_no_damage_to_a_picture_gets_past_the_decoder(folder):
    whole = bytearray((folder / "a.png").read_bytes())
    draws = np.random.default_rng(7)
    for _ in range(60):
        damaged = bytearray(whole)
        for position in draws.integers(8, len(whole), 3):
            damaged[position] = draws.integers(0, 256)
        (folder / "damaged.png").write_bytes(bytes(damaged[: draws.integers(1, len(damaged) + 1)]))

        assert {"a.png", "z.png"} <= set(names_of(prepare_inputs(settings(folder))))


def test_a_broken_link_is_left_out_by_name(folder):
    (folder / "gone.png").symlink_to(folder / "nowhere.png")

    ((name, why),) = prepare_inputs(settings(folder)).left_out.pictures

    assert (name, why) == ("gone.png", "cannot be read (No such file or directory)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_left_out_by_name(folder):
    save(folder / "secret.png", seed=9)
    (folder / "secret.png").chmod(0)

    assert prepare_inputs(settings(folder)).left_out.pictures == (("secret.png", "cannot be read (Permission denied)"),)


def test_hidden_files_folders_and_other_files_are_passed_over_in_silence(folder):
    save(folder / ".hidden.png", seed=3)
    (folder / "sub.png").mkdir()
    (folder / "notes.txt").write_text("remember the milk")

    prepared = prepare_inputs(settings(folder))

    assert names_of(prepared) == ["a.png", "z.png"]
    assert prepared.left_out.pictures == ()


def test_a_pipe_does_not_stop_the_run(folder):
    os.mkfifo(folder / "pipe.png")

    assert prepare_inputs(settings(folder)).left_out.pictures == (("pipe.png", "not a plain file"),)


def test_pictures_without_a_suffix_are_taken_when_there_are_no_others(tmp_path):
    for seed, name in enumerate(("one", "two")):
        with (tmp_path / name).open("wb") as file:
            noise(80, 64, seed).save(file, "PNG")

    assert names_of(prepare_inputs(settings(tmp_path))) == ["one", "two"]


def test_the_same_picture_twice_is_taken_once_and_said(folder):
    Image.open(folder / "a.png").save(folder / "copy.bmp")

    prepared = prepare_inputs(settings(folder))

    assert names_of(prepared) == ["a.png", "z.png"]
    assert prepared.left_out.pictures == (("copy.bmp", "the same picture as a.png"),)


def test_a_picture_is_known_by_its_pixels_and_not_by_its_name(folder):
    before = prepare_inputs(settings(folder)).inputs.pictures
    (folder / "a.png").rename(folder / "b.png")

    after = prepare_inputs(settings(folder)).inputs.pictures

    assert [picture.image_id for picture in after] == [picture.image_id for picture in before]


def test_a_name_that_is_no_text_is_made_readable(folder):
    save(folder / os.fsdecode(b"\xff.png"), seed=3)

    prepared = prepare_inputs(settings(folder))

    assert names_of(prepared)[-1] == r"\xff.png"
    assert InputSet.from_bytes(prepared.content) == prepared.inputs


def test_a_name_that_would_steer_the_terminal_is_escaped(folder):
    (folder / "bad\x1b[31mname\nx.png").write_bytes(b"x")

    prepared = prepare_inputs(settings(folder))

    assert prepared.left_out.pictures[0][0] == r"bad\x1b[31mname\x0ax.png"
    assert all(notice.isprintable() for notice in prepared.notices)


def test_more_pictures_than_wanted_are_cut_and_said(folder):
    for seed in range(3, 6):
        save(folder / f"m{seed}.png", seed=seed)

    prepared = prepare_inputs(settings(folder, max_images=3))

    assert names_of(prepared) == ["a.png", "m3.png", "m4.png"]
    assert "the first 3 pictures are used, 2 later files are not" in prepared.warnings[0]


def test_an_empty_folder_is_refused_by_name(tmp_path):
    with pytest.raises(InputsRefusedError) as refused:
        prepare_inputs(settings(tmp_path))

    assert str(refused.value) == f"{tmp_path} holds no pictures, a run needs at least 2"


def test_one_picture_alone_is_refused_and_each_bad_file_is_named(folder):
    (folder / "z.png").write_bytes(b"")
    (folder / "y.jpg").write_bytes(b"text")

    with pytest.raises(InputsRefusedError) as refused:
        prepare_inputs(settings(folder))

    assert refused.value.summary == f"needs at least 2 readable pictures, found 1 in {folder}"
    assert refused.value.problems == (
        "y.jpg: not a picture in a known format, or its head is damaged",
        "z.png: the file is empty",
    )


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputsRefusedError, match="cannot be read"):
        prepare_inputs(settings(tmp_path / "none"))


def test_the_set_is_stored_under_its_hash_and_written_once(tmp_path, folder):
    prepared = prepare_inputs(settings(folder))

    path = store_inputs(prepared, tmp_path / "home" / "inputs")
    written = path.stat().st_mtime_ns
    again = store_inputs(prepared, tmp_path / "home" / "inputs")

    assert path == again == tmp_path / "home" / "inputs" / f"{prepared.sha256}.msgpack"
    assert path.stat().st_mtime_ns == written
    assert InputSet.from_bytes(path.read_bytes()) == prepared.inputs


def test_a_stored_set_whose_content_was_changed_is_replaced(tmp_path, folder):
    prepared = prepare_inputs(settings(folder))
    path = store_inputs(prepared, tmp_path / "inputs")
    path.write_bytes(prepared.content[:-1] + bytes([prepared.content[-1] ^ 1]))

    store_inputs(prepared, tmp_path / "inputs")

    assert path.read_bytes() == prepared.content
