"""The Japanese vocabulary: things in a space, described; nothing is explained, finished or judged."""

from typing import Final

from actors.nightly_observer.renderer.japanese_styles import CINEMATIC, CLINICAL, MINIMAL, POETIC
from actors.nightly_observer.renderer.vocabulary import Noun, Space, Vocabulary

JAPANESE: Final = Vocabulary(
    spaces=(
        Space("水を抜いたプール", "淡いタイル", "深いほうの壁", "天窓からの光"),
        Space("雨上がりの駅舎", "濡れた石の床", "掲示板の壁", "水たまりに映る灯り"),
        Space("水車小屋の屋根裏", "粉をかぶった床板", "傾いた屋根", "隙間からこぼれる光"),
        Space("霧に沈む温室", "砂利の小道", "曇った硝子", "乳色の明るさ"),
        Space("客席のない劇場", "むき出しの舞台", "奥の幕", "ひとつだけ消し忘れた電灯"),
        Space("錨を下ろした渡し船の甲板", "湿った板張り", "手すり", "水面の照り返し"),
        Space("窓を開け放した図書室", "擦り切れた絨毯", "背の高い書架", "紙の色をした光"),
        Space("四軒の家に囲まれた中庭", "石畳", "蔦の壁", "四角い空"),
        Space("塩の倉", "白く固まった床", "板壁", "宙に浮く白い粉"),
        Space("隣の部屋に海のある台所", "敷石", "タイル張りの竈", "戸口の緑の光"),
        Space("終点に停まった路面電車", "溝のある床", "窓の列", "流れていく光"),
        Space("屋根の下の雪野", "踏み固められた雪", "遠い柱", "どちらからともない薄明かり"),
    ),
    nouns={
        "bell": Noun("鐘", "つ"),
        "boat": Noun("舟", "艘"),
        "book": Noun("本", "冊"),
        "bowl": Noun("鉢", "つ"),
        "candle": Noun("蝋燭", "本"),
        "chair": Noun("椅子", "脚"),
        "coat": Noun("外套", "着"),
        "door": Noun("扉", "枚"),
        "drum": Noun("太鼓", "つ"),
        "key": Noun("鍵", "本"),
        "kite": Noun("凧", "枚"),
        "ladder": Noun("梯子", "脚"),
        "lamp": Noun("ランプ", "つ"),
        "letter": Noun("手紙", "通"),
        "mirror": Noun("鏡", "枚"),
        "rope": Noun("縄", "本"),
        "shell": Noun("貝殻", "つ"),
        "stone": Noun("石", "つ"),
        "tree": Noun("木", "本"),
        "wheel": Noun("車輪", "つ"),
    },
    colours=(
        *("赤い", "朱色の", "橙色の", "琥珀色の", "黄色い", "若草色の", "苔色の", "木の葉色の"),
        *("緑の", "若竹色の", "翡翠色の", "青磁色の", "青緑の", "水色の", "空色の", "青い"),
        *("瑠璃色の", "藍色の", "菫色の", "紫の", "葡萄色の", "牡丹色の", "薔薇色の", "紅色の", "灰色の"),
    ),
    materials=("木彫りの", "錫の", "素焼きの", "硝子の", "紙の", "鉄の"),
    numbers=("二", "三", "四"),
    degrees={
        "neutral": ("かすかに", "ほのかに"),
        "slight": ("ゆっくりと", "少しずつ"),
        "strong": ("いっせいに", "ひと息に"),
    },
    images={
        "blend": ("輪郭が{degree}溶けあう{many}", "{floor}で{degree}重なりあう{many}"),
        "echo": ("等間隔に{degree}増えていく{many}", "奥へ{degree}続く{one}の列"),
        "invert": ("逆さに吊られた{one}の下で{degree}回る{one}", "向かいあい、{degree}明暗を取りかえる{many}"),
        "connect": (
            "{here}と{there}のあいだに{degree}張られた{span}",
            "手前に{here}、遠くに{there}、{degree}渡る{span}",
        ),
        "compress": ("細い山に{degree}押し固められた{pile}", "{wall}ぎわに{degree}詰め寄る{pile}"),
        "hold": ("{guard}の前で{degree}張りつめる{held}", "{held}を{degree}その場に留める{guard}"),
    },
    empty_image=("何もない{floor}、動かない空気", "影のない{wall}"),
    particles=("の", "と"),
    styles={"minimal": MINIMAL, "cinematic": CINEMATIC, "poetic": POETIC, "clinical": CLINICAL},
)
