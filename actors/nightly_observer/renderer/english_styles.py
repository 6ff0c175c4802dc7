"""How each of the four styles speaks English.

A slot that begins with a capital is filled with a capital: `{Many}` begins a sentence, `{many}` does not.
"""

from typing import Final

from actors.nightly_observer.renderer.vocabulary import StyleTexts

MINIMAL: Final = StyleTexts(
    openings=(
        "{Space}. {Light}.",
        "{Space}, nobody in it. {Light}.",
        "At first only {floor} and {wall}. It is {space}; {light}.",
    ),
    changes={
        "blend": (
            "{Many} on {floor}, edge to edge. {Degree}, their outlines run together.",
            "{Many} lean into each other by {wall}. {Degree}, one contour covers them.",
        ),
        "echo": (
            "{A_one} on {floor}, and again {a_one}. {Degree}, the row goes on.",
            "{Many} at equal distances. {Degree}, one more of them is there.",
        ),
        "invert": (
            "{A_one} stands on {floor}. Another hangs above it, top down. {Degree}, they trade places.",
            "Two {ones} by {wall}, one lit, one dark. {Degree}, the dark one lights and the lit one dims.",
        ),
        "connect": (
            "{Here} near, {there} far. Between them {span}. {Degree}, the distance takes its shape.",
            "{Here} on one side of {floor}, {there} on the other. {Degree}, {span} reaches both.",
        ),
        "compress": (
            "{Pile} in one stack by {wall}. {Degree}, the gaps between them close.",
            "{Pile} share a single shelf. {Degree}, the shelf narrows.",
        ),
        "hold": (
            "{Held} in front of {guard}. {Degree}, the air tightens. Neither moves.",
            "{Guard} keeps {held} where it is. {Degree}, the space between them stiffens.",
        ),
    },
    passages=("The light moves one step along {wall}.", "Somewhere a drop falls.", "Nothing is put away."),
    empty=(
        "Nothing stands on {floor}. Nothing comes past {wall}.",
        "From edge to edge, only {floor}. The air is still.",
    ),
    codas=(
        "Describe only what is there, side by side, unfinished.",
        "Set it down as it stands and leave it open.",
        "Write the things and the distances between them, nothing more.",
    ),
    frames=("plain line drawing", "sparse ink sketch"),
    lights=("wide margins, flat light", "few lines, much white paper"),
)

CINEMATIC: Final = StyleTexts(
    openings=(
        "Wide shot: {space}. {Light}. The camera waits near {wall}.",
        "Fade in on {floor}. The frame rises until it holds {space}; {light}.",
        "A long take begins in {space}: {light}, no voices, only the hum of the room.",
    ),
    changes={
        "blend": (
            "The camera glides past {many} on {floor}; as focus drifts, their edges {degree} dissolve into one.",
            "Slow push towards {many} near {wall}. In a double exposure they {degree} become a single shape.",
        ),
        "echo": (
            "A tracking shot along {floor}: {a_one}, then {a_one}, then {a_one}. The spacing {degree} repeats past the "
            "edge of the frame.",
            "Cut to {many}. Cut again: the same {ones}, the same distance, one more. The beat {degree} fills the room.",
        ),
        "invert": (
            "The camera tilts from {a_one} on {floor} to another hanging head down above it. {Degree}, the picture "
            "rolls until above is below.",
            "Shot and counter-shot: {a_one} in lamplight, {a_one} in shade. From cut to cut they {degree} swap their "
            "light.",
        ),
        "connect": (
            "Deep focus: {here} in the foreground, {there} far behind. {Span} {degree} crosses the frame and ties the "
            "two planes together.",
            "The camera leaves {here}, follows {span} over {floor}, and {degree} draws {there} into the same shot.",
        ),
        "compress": (
            "Top shot of {pile} against {wall}. The lens lengthens, and the space between them {degree} goes flat.",
            "{Pile} crowd one corner of the frame; the borders of the picture {degree} move inwards.",
        ),
        "hold": (
            "Locked-off shot: {held} before {guard}. Wind {degree} crosses the frame; neither shifts from its mark.",
            "Close on {guard}, then on {held} behind it, {degree} pressed to the same spot. The take does not cut.",
        ),
    },
    passages=(
        "The camera breathes and stays.",
        "A cloud passes over the set; the exposure follows.",
        "Somewhere out of frame, water.",
    ),
    empty=(
        "The frame holds {floor} and nobody walks into it. The take runs on.",
        "Slow pan along {wall}. No figure, no object, only grain.",
    ),
    codas=(
        "Film these states as they coexist; leave the reel running.",
        "Render the shot with everything still in motion, without a last frame.",
    ),
    frames=("wide anamorphic frame", "deep-focus film still"),
    lights=("soft film grain, long shadows", "low-key lighting, thin haze"),
)

POETIC: Final = StyleTexts(
    openings=(
        "{Space} breathes in, breathes out: {light}, and nobody.",
        "Someone has left {space} open like a hand, {light} lying in it.",
        "Between one tick and the next there is {space}, and {light} all along {floor}.",
    ),
    changes={
        "blend": (
            "{Many} lean together like sleepers, and {degree} the seam between them forgets where it was.",
            "On {floor} {many} pour into each other {degree}, as breaths share a window.",
        ),
        "echo": (
            "{A_one} says itself, and {a_one} answers, and {a_one}; {degree} the row of them goes on like rain.",
            "{Many}, each the after-sound of the last, walk {degree} along {wall} without taking a step.",
        ),
        "invert": (
            "{A_one} stands on {floor} and another hangs beneath a sky of its own; {degree} they drink each other's "
            "shadow.",
            "What is lit in one {one} is night in the other; {degree} the two {ones} exchange their dark like a coin.",
        ),
        "connect": (
            "From {here} to {there} goes {span}, thin as a held note, and {degree} the far grows near without moving.",
            "{Here} and {there} have never touched; {span} hums {degree} in the air between.",
        ),
        "compress": (
            "{Pile} huddle by {wall} like birds before snow, and {degree} the room between them is folded away.",
            "So little floor is left: {pile}, one on the other, and {degree} the silence is pressed to a leaf.",
        ),
        "hold": (
            "{Held} trembles before {guard} like a word before the mouth; {degree} the waiting takes on weight.",
            "{Guard} holds {held} the way ice holds a leaf, {degree}, with every vein showing.",
        ),
    },
    passages=(
        "A moth counts the corners and loses count.",
        "Dust comes down in no hurry.",
        "The quiet turns over in its sleep.",
    ),
    empty=(
        "There is {light}, and there is {floor}, listening. No thing has come to be seen.",
        "The air keeps the outlines of what is not here. It is quiet along {wall}, the way snow is quiet.",
    ),
    codas=(
        "Sing these states as they stand beside one another; let the song stay open.",
        "Give them words that do not close over them.",
    ),
    frames=("loose watercolour", "faded fresco"),
    lights=("bleeding edges, breathing paper", "pale wash, slow gold air"),
)

CLINICAL: Final = StyleTexts(
    openings=(
        "Setting: {space}. Illumination: {light}. No persons present.",
        "Observed area: {space}, bounded by {wall}. Illumination: {light}.",
        "Record of {space}. Ground surface: {floor}. Illumination: {light}. No sound.",
    ),
    changes={
        "blend": (
            "On {floor}: {many}, touching. Boundaries recede {degree}; surfaces are continuous where they touch.",
            "{Many}, placed without gaps near {wall}. A shared outline forms {degree}.",
        ),
        "echo": (
            "{Many}, identical in form and spacing. The series extends {degree} along {wall}.",
            "Position one: {a_one}. Position two: {a_one}. Further positions fill {degree} at constant intervals.",
        ),
        "invert": (
            "{A_one}, base on {floor}. A second {one}, base upward, on the same axis. Orientation reverses {degree}.",
            "Two {ones}, one illuminated, one shaded. The states exchange {degree}; both remain in place.",
        ),
        "connect": (
            "Two separate objects: {here}, {there}. A third object, {span}, bridges the interval {degree}.",
            "{Here} and {there} at opposite sides of {floor}. Contact is made by {span}, {degree}.",
        ),
        "compress": (
            "{Pile}, stacked near {wall}. Available volume decreases {degree}; the number of objects is constant.",
            "Contents of one shelf: {pile}. Intervals between objects shorten {degree}.",
        ),
        "hold": (
            "{Held}, fixed in position by {guard}. Applied pressure rises {degree}; displacement is zero.",
            "Object: {held}. Restraint: {guard}. The restraint tightens {degree}; position unchanged.",
        ),
    },
    passages=("Illumination unchanged.", "Air movement slight.", "Surface temperature even."),
    empty=("No objects on {floor}. No change along {wall}.", "Area vacant. Surfaces undisturbed."),
    codas=(
        "List the states present in order of position. Add nothing.",
        "Describe position, surface and movement of each object. Leave all else blank.",
    ),
    frames=("flat documentary photograph", "museum catalogue plate"),
    lights=("even lighting, neutral background", "measured perspective, matte surfaces"),
)
