"""The English vocabulary: things in a space, described; nothing is explained, finished or judged."""

from typing import Final

from actors.nightly_observer.renderer.english_styles import CINEMATIC, CLINICAL, MINIMAL, POETIC
from actors.nightly_observer.renderer.vocabulary import Noun, Space, Vocabulary

ENGLISH: Final = Vocabulary(
    spaces=(
        Space("a drained swimming pool", "the pale tiles", "the wall of the deep side", "light from a skylight"),
        Space("a station hall after rain", "the wet stone floor", "the timetable wall", "lamplight in the puddles"),
        Space("the attic of a mill", "the flour-dusted boards", "the slanted roof", "light through the gaps"),
        Space("a greenhouse in fog", "the gravel path", "the clouded glass", "a milky glow"),
        Space("a theatre without seats", "the bare stage", "the back curtain", "a single lamp left on"),
        Space("a ferry deck at anchor", "the damp planks", "the rail", "a shimmer off the water"),
        Space("a library with open windows", "the worn carpet", "the tall shelves", "paper-coloured light"),
        Space("a courtyard between four houses", "the cobbles", "the ivy wall", "a square of sky"),
        Space("a salt warehouse", "the crusted floor", "the timber wall", "white dust in the air"),
        Space(
            "a kitchen with the sea in the next room", "the flagstones", "the tiled stove", "green light at the door"
        ),
        Space("a tram at its terminus", "the ribbed floor", "the row of windows", "passing light"),
        Space("a field of snow under a roof", "the packed snow", "the far pillars", "grey light from no side"),
    ),
    nouns={
        "bell": Noun("bell", "bells"),
        "boat": Noun("boat", "boats"),
        "book": Noun("book", "books"),
        "bowl": Noun("bowl", "bowls"),
        "candle": Noun("candle", "candles"),
        "chair": Noun("chair", "chairs"),
        "coat": Noun("coat", "coats"),
        "door": Noun("door", "doors"),
        "drum": Noun("drum", "drums"),
        "key": Noun("key", "keys"),
        "kite": Noun("kite", "kites"),
        "ladder": Noun("ladder", "ladders"),
        "lamp": Noun("lamp", "lamps"),
        "letter": Noun("letter", "letters"),
        "mirror": Noun("mirror", "mirrors"),
        "rope": Noun("rope", "ropes"),
        "shell": Noun("shell", "shells"),
        "stone": Noun("stone", "stones"),
        "tree": Noun("tree", "trees"),
        "wheel": Noun("wheel", "wheels"),
    },
    colours=(
        *("red", "vermilion", "orange", "amber", "yellow", "lime", "moss-green", "leaf-green"),
        *("green", "fern-green", "jade", "sea-green", "teal", "turquoise", "sky-blue", "blue"),
        *("ultramarine", "indigo", "violet", "purple", "plum", "magenta", "rose", "crimson", "grey"),
    ),
    materials=("wooden", "tin", "clay", "glass", "paper", "iron"),
    numbers=("two", "three", "four"),
    degrees={
        "neutral": ("faintly", "barely"),
        "slight": ("slowly", "little by little"),
        "strong": ("all at once", "in one sweep"),
    },
    images={
        "blend": ("{many} melting {degree} into one outline", "{many} overlapping on {floor}, edges {degree} lost"),
        "echo": ("{many} in an evenly spaced row, repeating {degree}", "a receding line of {ones}, {degree} longer"),
        "invert": (
            "{a_one} standing beneath {a_one} hung head down, {degree} turning",
            "two {ones} facing each other, light and shadow {degree} changing sides",
        ),
        "connect": (
            "{span} stretched {degree} between {here} and {there}",
            "{here} near, {there} far, {span} {degree} crossing the space",
        ),
        "compress": ("{pile} pressed {degree} into one narrow stack", "{pile} crowded {degree} against {wall}"),
        "hold": ("{held} motionless before {guard}, {degree} taut", "{guard} holding {held} in place, {degree}"),
    },
    empty_image=("bare {floor}, still air", "nothing along {wall}"),
    particles=("a", "an", "and"),
    styles={"minimal": MINIMAL, "cinematic": CINEMATIC, "poetic": POETIC, "clinical": CLINICAL},
)
