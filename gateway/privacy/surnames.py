"""Which characters of a Chinese name are the surname?

A data table and one question. The single surnames are those of the Hundred Family Surnames (百家姓, public
domain) with the common ones it lacks; the compound surnames are those of the same text with the ones still borne
today. A name whose surname is in neither table has no mask: showing its first character could show part of a given
name, as it would for 阿依古丽 or 扎西.
"""

from __future__ import annotations

SINGLE_SURNAMES: frozenset[str] = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
    "俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧"
    "计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫"
    "经房裘缪干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊於惠甄麴家封芮羿储靳汲邴糜松井段富巫乌焦巴弓"
    "牧隗山谷车侯宓蓬全郗班仰秋仲伊宫宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙"
    "池乔阴鬱胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍郤璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容"
    "向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰"
    "巢关蒯相查后荆红游竺权逯盖益桓公牟哈谯笪年爱阳佟商佘佴伯赏墨谯缑亢况郈有琴晋楚闫法汝鄢涂钦归海岳帅"
    "肖付代卿仝邸苟覃檀冼鹿揭覃佀芦滿原展靖凡门辜迟栗晋冶邝缴隋逯原原翠战亓官芶宛邹褟揣矫竹丛母鹏化尧户问"
)

COMPOUND_SURNAMES: frozenset[str] = frozenset(
    [
        "万俟",
        "司马",
        "上官",
        "欧阳",
        "夏侯",
        "诸葛",
        "闻人",
        "东方",
        "赫连",
        "皇甫",
        "尉迟",
        "公羊",
        "澹台",
        "公冶",
        "宗政",
        "濮阳",
        "淳于",
        "单于",
        "太叔",
        "申屠",
        "公孙",
        "仲孙",
        "轩辕",
        "令狐",
        "钟离",
        "宇文",
        "长孙",
        "慕容",
        "鲜于",
        "闾丘",
        "司徒",
        "司空",
        "亓官",
        "司寇",
        "仉督",
        "子车",
        "颛孙",
        "端木",
        "巫马",
        "公西",
        "漆雕",
        "乐正",
        "壤驷",
        "公良",
        "拓跋",
        "夹谷",
        "宰父",
        "谷梁",
        "段干",
        "百里",
        "东郭",
        "南门",
        "呼延",
        "羊舌",
        "微生",
        "梁丘",
        "左丘",
        "东门",
        "西门",
        "南宫",
        "第五",
        "独孤",
        "南郭",
        "北宫",
        "纳兰",
        "完颜",
        "耶律",
        "叶赫",
        "那拉",
        "爱新",
        "贺兰",
        "达奚",
        "屈突",
        "侯莫",
        "破六",
        "步六",
        "欧侯",
        "即墨",
        "司城",
        "左人",
        "公仪",
        "公输",
        "公户",
        "公上",
        "公山",
        "公伯",
        "公祖",
        "公乘",
        "公皙",
        "公玉",
        "高堂",
        "安国",
        "胡母",
        "浩生",
        "屋庐",
        "有琴",
        "瓜尔",
        "钮祜",
        "富察",
        "舒穆",
    ]
)

HIDDEN = "某"


def mask_name(name: str) -> str | None:
    """Surname and 某, whatever the length of the given name; None where the surname cannot be told.

    Told are names of two or three Han characters with a known single surname, and of three or four with a known
    compound surname. Two characters that are a compound surname could be either, so they tell nothing. Names with
    a separator (·), of other scripts, or longer, tell nothing.
    """
    length = len(name)
    if length < 2 or length > 4:
        return None
    for character in name:
        if not ("\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf" or character >= "\U00020000"):
            return None
    first_two = name[:2]
    if first_two in COMPOUND_SURNAMES:
        return first_two + HIDDEN if length > 2 else None
    if length < 4 and name[0] in SINGLE_SURNAMES:
        return name[0] + HIDDEN
    return None
