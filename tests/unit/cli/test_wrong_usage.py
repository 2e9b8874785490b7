"""What was typed wrong is said as every other error is: Chinese first, English beside, and what to do."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gateway.cli.main import main


@pytest.mark.parametrize(
    ("line", "chinese", "english"),
    [
        ("sumbit", "没有命令 'sumbit'", "No such command"),
        ("office chang", "没有命令 'chang'", "Did you mean 'change'?"),
        ("submit", "缺少参数 'FILE'", "Missing argument"),
        ("submit no-such-file --as health.440113", "'no-such-file' 不存在", "does not exist"),
        ("submit tests --as health.440113", "'tests' 是目录", "is a directory"),
        ("pull", "缺少选项 '--as'", "Missing option"),
        ("pull --as", "选项 '--as' 须有值", "requires an argument"),
        ("pull --as x --max x", "'--max' 的值有误：'x' 不是整数", "not a valid integer"),
        ("pull --as x --mx 3", "没有选项 '--mx'", "No such option"),
        ("pull --json=3", "选项 '--json' 不带值", "does not take a value"),
        ("pull --as x more words", "多余的参数：more words", "unexpected extra arguments"),
        ("usage use d1 nonsense", "'CODE' 的值有误：'nonsense' 不是其中之一", "is not one of"),
        ("agent --as x --answer-seconds 0", "0.0 不在范围 1<=x<=600 之内", "not in the range"),
        ("agent --as x --answer-seconds long", "'long' 不是数", "not a valid float"),
    ],
)  # fmt: skip
def test_wrong_usage_is_said_in_both_languages_with_a_way_on(line, chinese, english):
    ended = CliRunner().invoke(main, line.split(), prog_name="hutong")
    said = ended.stderr
    assert ended.exit_code == 2
    assert chinese in said and english in said and "怎么办 remedy: 见 hutong" in said, said
    assert said.index(chinese) < said.index(english)


def test_help_without_arguments_stays_help():
    ended = CliRunner().invoke(main, ["office"], prog_name="hutong")
    assert "登记单位" in ended.output and "错误" not in ended.output
