"""How each of the four styles speaks Japanese."""

from typing import Final

from actors.nightly_observer.renderer.vocabulary import StyleTexts

MINIMAL: Final = StyleTexts(
    openings=(
        "{space}。{light}。",
        "{space}。誰もいない。{light}だけがある。",
        "はじめに{floor}と{wall}。ここは{space}。{light}。",
    ),
    changes={
        "blend": (
            "{floor}に{many}が並ぶ。輪郭が{degree}混ざりあう。",
            "{wall}のそばで{many}が寄りかかりあう。一本の線が{degree}それらを囲む。",
        ),
        "echo": (
            "{one}がある。隣にも{one}がある。列は{degree}続く。",
            "{many}が同じ間隔で置かれている。{degree}もう一つ増える。",
        ),
        "invert": (
            "{floor}に{one}が立つ。真上に、もう一つが逆さに下がる。上と下が{degree}入れ替わる。",
            "{wall}の前に{many}。一方は明るく、一方は暗い。明暗が{degree}入れ替わる。",
        ),
        "connect": (
            "手前に{here}、遠くに{there}。あいだに{span}。隔たりが{degree}形をとる。",
            "{floor}のこちらに{here}、あちらに{there}。{span}が{degree}両方に届く。",
        ),
        "compress": (
            "{wall}のそばに{pile}が積まれている。隙間が{degree}閉じる。",
            "ひとつの棚に{pile}。棚の幅が{degree}狭まる。",
        ),
        "hold": (
            "{guard}の前に{held}。{degree}張りつめ、どちらも動かない。",
            "{guard}が{held}をその場に留める。あいだの空気が{degree}こわばる。",
        ),
    },
    passages=("光が少しだけ{wall}のほうへ動く。", "どこかで雫が落ちる。", "何も片づけられない。"),
    empty=(
        "{floor}には何も置かれていない。{wall}にも影はない。",
        "端から端まで、{floor}だけがある。空気は動かない。",
    ),
    codas=(
        "そこにあるものだけを、並んだまま描写せよ。",
        "閉じずに、置かれたとおりに書きとめよ。",
        "物と物との距離を書け。それ以上は書かなくてよい。",
    ),
    frames=("簡素な線画", "余白の多い墨の素描"),
    lights=("広い余白、平らな光", "わずかな線、白い紙"),
)

CINEMATIC: Final = StyleTexts(
    openings=(
        "遠景。{space}。{light}。カメラは{wall}のそばで待っている。",
        "{floor}から静かに画面が上がり、{space}が収まる。{light}。",
        "{space}で長回しが始まる。{light}。声はなく、部屋の鳴りだけがする。",
    ),
    changes={
        "blend": (
            "カメラが{floor}の{many}をかすめていく。焦点がゆるむにつれ、縁が{degree}溶けあう。",
            "{wall}のそばの{many}へ、静かに寄る。二重露光のなかで{degree}ひとつの形になる。",
        ),
        "echo": (
            "{floor}に沿って横移動。{one}、また{one}、また{one}。同じ間隔が{degree}画面の外まで続く。",
            "{many}のカット。次のカットにも同じもの、同じ距離、さらに一つ。その拍が{degree}部屋を満たす。",
        ),
        "invert": (
            "{floor}の{one}から、真上に逆さに下がるもう一つへ、カメラが仰ぐ。画面が{degree}回り、上が下になる。",
            "切り返し。灯りのなかの{one}、影のなかの{one}。カットのたびに、光が{degree}入れ替わる。",
        ),
        "connect": (
            "深い焦点。手前に{here}、奥に{there}。{span}が{degree}画面を横切り、二つの奥行きを結ぶ。",
            "カメラは{here}を離れ、{span}をたどって{floor}を渡り、{there}を{degree}同じ画面に引き入れる。",
        ),
        "compress": (
            "真上から、{wall}ぎわの{pile}。レンズが長くなり、あいだの距離が{degree}平たくなる。",
            "画面の隅に{pile}がひしめく。枠が{degree}内側へ動く。",
        ),
        "hold": (
            "固定撮影。{guard}の前の{held}。風が{degree}画面を横切るが、どちらも位置を離れない。",
            "{guard}に寄る。次に、その向こうで{degree}同じ場所に押しとどめられた{held}に寄る。カットは割らない。",
        ),
    },
    passages=("カメラは息をして、とどまる。", "雲が通り、露出が追いかける。", "画面の外で、水の音。"),
    empty=(
        "画面には{floor}だけがあり、誰も入ってこない。フィルムは回りつづける。",
        "{wall}に沿って静かにパン。人影も物もなく、粒子だけが動く。",
    ),
    codas=(
        "同じ画面に居合わせた状態たちを、回したまま写しとれ。",
        "どれも動いている途中のまま、最後のコマを置かずに描写せよ。",
    ),
    frames=("横長のシネマ画角", "深い焦点の映画の一場面"),
    lights=("柔らかな粒子、長い影", "抑えた照明、薄い靄"),
)

POETIC: Final = StyleTexts(
    openings=(
        "{space}が息を吸い、息を吐く。{light}、そして誰もいない。",
        "{space}が、ひらいた手のように置かれている。そこに{light}が載っている。",
        "時計の一打と一打のあいだに{space}がある。{floor}いっぱいに{light}。",
    ),
    changes={
        "blend": (
            "{many}が眠る人のように寄りあい、その継ぎ目は{degree}自分の場所を忘れていく。",
            "{floor}のうえで{many}が{degree}注ぎあう。並んだ息が窓の曇りを分けあうように。",
        ),
        "echo": (
            "{one}が名乗ると、{one}がこだまし、また{one}がこだまする。列は雨のように{degree}続いていく。",
            "{many}。どれも前のものの余韻で、一歩も歩かずに{wall}を{degree}渡っていく。",
        ),
        "invert": (
            "{floor}に{one}が立ち、もう一つは自分の空の下に吊られている。ふたつは{degree}互いの影を飲む。",
            "一方の{one}の明るみは、もう一方の夜である。ふたつは暗がりを銅貨のように{degree}取りかわす。",
        ),
        "connect": (
            "{here}から{there}へ、{span}が細く伸びた音のように渡り、遠さは動かないまま{degree}近くなる。",
            "{here}と{there}は触れたことがない。あいだの空気のなかで、{span}が{degree}鳴っている。",
        ),
        "compress": (
            "雪を待つ鳥のように、{wall}ぎわに{pile}が身を寄せる。あいだの部屋は{degree}折りたたまれる。",
            "床はもうわずかしかない。{pile}が重なり、静けさは{degree}一枚の葉に押される。",
        ),
        "hold": (
            "{guard}の前で{held}が、口の手前の言葉のように震えている。待つことが{degree}重さを帯びる。",
            "氷が葉を抱くように、{guard}は{held}を{degree}抱いている。葉脈まで透けている。",
        ),
    },
    passages=("蛾が部屋の隅を数え、数を失う。", "塵が急がずに降りてくる。", "静けさが寝返りを打つ。"),
    empty=(
        "{light}と、耳を澄ます{floor}だけがある。姿を見せるものはない。",
        "ここにないものの輪郭を、空気が預かっている。{wall}のあたりは雪のように静かだ。",
    ),
    codas=("隣りあう状態たちを、閉じない歌のまま描写せよ。", "覆いかぶさらない言葉で、ただ並べて描写せよ。"),
    frames=("にじむ水彩", "色あせた壁画"),
    lights=("ほどける輪郭、息をする紙", "淡い塗り、ゆるやかな金色の空気"),
)

CLINICAL: Final = StyleTexts(
    openings=(
        "場所、{space}。照明、{light}。人物なし。",
        "観察範囲は{space}、{wall}まで。照明は{light}。",
        "{space}の記録。床面は{floor}。照明は{light}。音なし。",
    ),
    changes={
        "blend": (
            "{floor}に{many}。互いに接触。境界は{degree}後退し、接点で表面が連続する。",
            "{wall}の付近に{many}を隙間なく配置。共通の輪郭が{degree}現れる。",
        ),
        "echo": (
            "{many}。形状と間隔は同一。列は{wall}に沿って{degree}延びる。",
            "第一の位置に{one}。第二の位置に{one}。続く位置も一定の間隔で{degree}埋まる。",
        ),
        "invert": (
            "{floor}に{one}、底面を下に設置。同じ軸上にもう一つ、底面を上に。向きが{degree}反転する。",
            "{many}。一方は照らされ、一方は陰。状態が{degree}入れ替わり、位置は変わらない。",
        ),
        "connect": (
            "離れた二つの物体、{here}と{there}。第三の物体、{span}が間隔を{degree}つなぐ。",
            "{floor}の両端に{here}と{there}。{span}を介して{degree}接触が生じる。",
        ),
        "compress": (
            "{wall}の付近に{pile}を積載。利用できる容積は{degree}減り、物体の数は変わらない。",
            "ひとつの棚の内容物、{pile}。物体の間隔が{degree}縮む。",
        ),
        "hold": (
            "{guard}に位置を固定された{held}。加わる力は{degree}増し、変位は零。",
            "物体、{held}。拘束、{guard}。拘束が{degree}締まり、位置は不変。",
        ),
    },
    passages=("照度に変化なし。", "空気の流れ、わずか。", "表面の温度は一様。"),
    empty=("{floor}に物体なし。{wall}に沿って変化なし。", "範囲内は空。表面に乱れなし。"),
    codas=(
        "存在する状態を位置の順に列挙せよ。何も加えないこと。",
        "各物体の位置、表面、動きを記述せよ。ほかは空欄とする。",
    ),
    frames=("平板な記録写真", "博物館の図版"),
    lights=("均一な照明、無地の背景", "測量された遠近、艶のない表面"),
)
