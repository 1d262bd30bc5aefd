"""The report over projects of a few SQL models: what is missing, what is odd, what is hostile."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lupom import Project
from lupom.engine.errors import StoreError
from lupom.site.charts import Dot, dots, ticks
from lupom.site.report import gather, render

HOSTILE = "<img src=x onerror=alert(1)>"
LEADERBOARD = """
select 's' as survey, 'known' as scenario, pairs, predictor, llm, accuracy, low, high, nll,
    0.1 as calibration, 0.0 as invalid, 45 as n, vs_best, vs_low, vs_high
from (values
    ('all', 'majority', null, 0.5, 0.4, 0.6, 1.0, null, null, null),
    ('llm', 'majority', null, 0.5, 0.3, 0.7, 1.0, null, null, null),
    ('llm', 'history', 'HOSTILE', 0.7, 0.55, 0.85, 'nan'::double, 0.2, {low}, 0.35)
) as t(pairs, predictor, llm, accuracy, low, high, nll, vs_best, vs_low, vs_high)
""".replace("HOSTILE", HOSTILE)
ROUTER = """
select 's' as survey, 'HOSTILE' as llm, 'known' as scenario, question_id, 40 as n,
    gain as nll_gain, gain as nll_gain_pooled, low as nll_gain_low, high as nll_gain_high,
    gain as accuracy_gain, gain as accuracy_gain_pooled, low as accuracy_gain_low,
    high as accuracy_gain_high, null::double as price, 0.02::double as price_per_correct,
    recommendation
from (values
    (null, 0.05, 0.01, 0.09, 'llm'),
    ('Q1', 0.08, 0.02, 0.14, 'llm'),
    ('Q2', 0.01, -0.05, 0.07, 'plain'),
    ('Q3', 'nan'::double, 'nan'::double, 'nan'::double, 'plain')
) as t(question_id, gain, low, high, recommendation)
""".replace("HOSTILE", HOSTILE)
NUMBERS = """
select 's' as survey, r as respondent_id, 'AGE' as question_id, 'median' as predictor,
    null::varchar as llm, 40.0 as value, 'valid' as status, 'known' as scenario, truth,
    abs(truth - 40) as absolute_error, abs(truth - 40) / 100 as relative_error,
    false as in_llm_sample
from (values ('a', 30.0), ('a', 50.0), ('b', 60.0), ('c', 80.0)) as t(r, truth)
"""
CURVE = """
select 's' as survey, respondents, predictor, llm, pairs, accuracy, accuracy - 0.03 as low,
    accuracy + 0.03 as high, n
from (values
    (30, 'majority', null, 'all', 0.57, 1000), (1540, 'majority', null, 'all', 0.59, 1000),
    (30, 'stack_plain', 'mine', 'llm', 0.6, 90), (30, 'stack', 'mine', 'llm', 0.65, 90)
) as t(respondents, predictor, llm, pairs, accuracy, n)
"""
PLAN = """
select 's' as survey, strategy, k as questions, q as question_id,
    case when k = 1 then 0.5 end as asked_of, null::varchar as attribute,
    null::varchar as "group", nll, nll - 0.01 as low, nll + 0.01 as high, 0.8 as nll_before,
    1 - nll / 2 as accuracy, d as difference, d - 0.01 as difference_low,
    d + 0.01 as difference_high, 900 as n
from (values ('chosen', 0, null, 0.8, null), ('chosen', 1, '<b>Q2</b>', 0.7, null),
    ('random', 1, null, 0.75, 0.05)
) as t(strategy, k, q, nll, d)
"""
COSTS = """
select 's' as survey, q as question_id, null::varchar as attribute, null::varchar as "group",
    0.03 as half_width, plan, p as predictor, l as llm, people, calls as llm_calls,
    e as questions_each, cost, r2, n as r2_needed, cheapest, reason
from (values (null, 'humans', null, null, 1068, 0, 25.0, 1068.0, null, null, false, null),
    (null, 'humans_and_llm', 'history', 'mine', 700, 9000, 25.0, 790.0, null, null, true, null),
    ('Q1', 'humans_and_llm', 'history', 'mine', 600, 9000, null, 90.0, 0.4, 0.1, true, null),
    ('Q2', 'humans_and_llm', 'history', 'mine', 900, 0, null, 100.0, null, 0.1, false, 'too few'),
    ('Q3', null, null, null, null, null, null, null, null, null, false, 'in texts')
) as t(q, plan, p, l, people, calls, e, cost, r2, n, cheapest, reason)
"""
BLOCKS = """
select 's' as survey, 'Q1' as question_id, 'A' as block, 2 as blocks_asked, 0.5 as asked,
    0.6 as efficiency, 1.29 as half_width, 1.41 as half_width_alone
"""
PREDICTORS_COST = """
select 's' as survey, p as predictor, title, part, 400 as n, 0.6 as accuracy, 0.8 as nll,
    gain / 2 as accuracy_gain, low / 2 as accuracy_gain_low, high / 2 as accuracy_gain_high,
    gain as nll_gain, low as nll_gain_low, high as nll_gain_high, 12000 as size, seconds
from (values ('logistic_answers', 'Regression', true, 0.05, 0.04, 0.06, 0.05),
    ('HOSTILE', 'Mine', true, 0.0004, -0.002, {high}, 2.5),
    ('majority', 'Shares', false, 0.0, -0.001, 0.001, null)
) as t(p, title, part, gain, low, high, seconds)
""".replace("HOSTILE", HOSTILE)
SETS = """
select 's' as survey, 'known' as scenario, 'majority' as predictor, null::varchar as llm,
    null::varchar as question_id, attribute, null::varchar as "group", 0.9 as level,
    0.895 as coverage, 0.874 as low, 0.913 as high, 2.02 as mean_size, 0.124 as share_single,
    1000 as n
from (values (null), ('AGE')) as t(attribute)
"""
SHARES = """
select 's' as survey, 'Q1' as question_id, 'share' as statistic, option,
    null::varchar as attribute, null::varchar as "group", null::varchar as against, method,
    predictor, null::varchar as llm, estimate, 0.01 as std_error, estimate - 0.02 as low,
    estimate + 0.02 as high, 1500 as n_humans, 2000 as n_predicted, n_effective, 0.9 as power,
    0.1 as imbalance, method <> 'naive' as valid, method = 'powered' as recommended
from (values
    ('no', 'powered', 'ridge_answers', 0.4, 1600.0),
    ('<b>yes</b>', 'classical', null, 0.6, 1500.0),
    ('<b>yes</b>', 'powered', 'ridge_answers', 0.6, 1600.0),
    ('<b>yes</b>', 'naive', 'ridge_answers', 0.7, null)
) as t(option, method, predictor, estimate, n_effective)
"""
CHANGES = """
select 'w1' as survey, 'Q1' as question_id, 'w2' as other_survey, 'Q1' as other_question_id,
    'share' as statistic, option, null::varchar as attribute, 0.4 as estimate,
    0.4 + change as other_estimate, change, change - 0.05 as low, change + 0.05 as high, p_bh
from (values ('HOSTILE', 0.1, 0.001), ('no', -0.02, 0.4)) as t(option, change, p_bh)
""".replace("HOSTILE", HOSTILE)


def report_of(folder: Path, models: dict[str, str]):
    (folder / "models").mkdir()
    (folder / "lupom_project.yml").write_text("name: demo\n")
    for name, sql in models.items():
        (folder / "models" / f"{name}.sql").write_text("{{ config(materialized='table') }}\n" + sql)
    with Project(folder) as project:
        result = project.run()
        assert [node.message for node in result.nodes if node.status == "error"] == []
        return gather(project)


def answer(report, question: str) -> str:
    return " ".join(dict(report.answers)[question])


def test_what_was_predicted_elsewhere_has_its_pairs_and_its_cost(tmp_path):
    board = "select * replace ('twins' as pairs, 'twins' as llm) from ({})"
    elsewhere = "select llm, cost from (values ('free', null), ('twins', .02), ('twins', .04)) as t"
    report = report_of(
        tmp_path,
        {
            "leaderboard": board.format(LEADERBOARD.format(low="0.05")),
            "predictions_elsewhere": f"{elsewhere}(llm, cost)",
        },
    )
    assert answer(report, "How good?").startswith("s, the pairs that twins predicted: ")
    assert answer(report, "At what cost?").endswith(
        "free, made elsewhere: 1 predictions of held-out pairs, at a cost not told. "
        "twins, made elsewhere: 2 predictions of held-out pairs, 0.030 USD an answer."
    )


def test_what_is_not_there_is_said_in_words(tmp_path):
    report = report_of(tmp_path, {"leaderboard": LEADERBOARD.format(low="0.05")})
    part = report.parts[0]
    assert [figure.caption for figure in part.figures] == [
        "Accuracy, with 95 % intervals over respondents"
    ]
    assert part.left_out[0] == "Log loss: nothing to show, the table metrics has no such rows."
    assert len(part.left_out) == 5
    text = render(report)
    assert "no LLM was asked about tuning pairs" in text
    assert "Calibration: nothing to show" in text
    assert answer(report, "At what cost?") == "Nothing: no LLM was asked."


def test_a_difference_is_given_with_its_interval_and_what_it_may_be(tmp_path):
    said = answer(
        report_of(tmp_path, {"leaderboard": LEADERBOARD.format(low="0.05")}), "Compared with what?"
    )
    assert "+20.0 points [+5.0, +35.0]." in said
    (tmp_path / "other").mkdir()
    crossing = {"leaderboard": LEADERBOARD.format(low="-0.02")}
    said = answer(report_of(tmp_path / "other", crossing), "Compared with what?")
    assert "+20.0 points [-2.0, +35.0]; this may be chance." in said


def test_a_correction_for_many_comparisons_is_heard(tmp_path):
    comparisons = f"""
    select 's' as survey, 'known' as scenario, 'llm' as pairs, 'accuracy' as metric,
        'history' as predictor, '{HOSTILE}' as llm, 'majority' as against,
        null::varchar as against_llm, true as best_baseline, 0.4 as p_holm
    """
    models = {"leaderboard": LEADERBOARD.format(low="0.05"), "comparisons": comparisons}
    said = answer(report_of(tmp_path, models), "Compared with what?")
    assert "p = 0.400 corrected for all comparisons; clear by itself, but among so many" in said


def test_the_advice_is_the_routers_and_few_pairs_are_called_few(tmp_path):
    models = {"leaderboard": LEADERBOARD.format(low="0.05"), "router": ROUTER}
    report = report_of(tmp_path, models)
    said = answer(report, "Should I use the LLM here?")
    assert "helps here: on 40 tuning pairs it gains 0.050 nats an answer [0.010, 0.090]" in said
    assert "Ask it." in said
    assert "worth asking for 1 of 2." in said
    assert "One more correct answer costs 0.020 USD." in said
    assert (
        "45 test pairs are too few to be sure: the LLM's accuracy has an interval of 30 points"
        in said
    )
    [figure] = report.router
    assert [row[0] for row in figure.table.rows] == ["all questions", "Q1", "Q2"]


def test_the_advice_is_judged_for_each_llm(tmp_path):
    board = """
    select 's' as survey, 'known' as scenario, 'llm' as pairs, predictor, llm, accuracy,
        accuracy - 0.02 as low, accuracy + 0.02 as high, 1.0 as nll, 0.1 as calibration,
        0.0 as invalid, 900 as n, vs_best, vs_best as vs_low, vs_best as vs_high
    from (values ('majority', null, 0.5, null), ('stack_plain', null, 0.55, 0.05),
        ('routed', 'small', 0.56, 0.06), ('routed', 'large', 0.61, 0.11)
    ) as t(predictor, llm, accuracy, vs_best)
    """
    said = answer(report_of(tmp_path, {"leaderboard": board}), "Should I use the LLM here?")
    assert "right in 61.0 % (large), 56.0 % (small), and who does without an LLM in 55.0 %." in said


def test_what_predictions_are_worth_has_figures_of_its_own(tmp_path):
    report = report_of(
        tmp_path,
        {"number_scores": NUMBERS, "value_curve": CURVE, "set_metrics": SETS, "estimates": SHARES},
    )
    people, sets, estimates = report.sections
    whole, asked = people.figures
    assert (
        whole.caption == "s: accuracy by the number of people learned from, on all 1,000 test pairs"
    )
    assert "with the LLM mine and without" in asked.caption
    assert re.findall(r">([\d,]+)</text>", whole.charts[0][1])[-2:] == ["1,540", "30"]
    assert whole.table.rows[0] == ["majority", "30", "57.0 %", "54.0 %", "60.0 %"]
    [figure] = sets.figures
    assert figure.table.rows == [
        ["majority", "89.5 %", "87.4 %", "91.3 %", "2.02", "12.4 %", "1,000"]
    ]
    shares, gains = estimates.figures
    assert [row[2] for row in shares.table.rows] == ["classical", "powered", "naive"]
    [(title, chart)] = shares.charts
    assert title == "Q1. Q1 Share of \u201c<b>yes</b>\u201d"
    assert chart.count("few") == 1
    assert "Predictions alone: not valid" in chart
    assert gains.table.rows == [["Q1", "1,500", "1,600", "0.90", "ridge_answers"]]
    text = render(report)
    assert "&lt;b&gt;yes&lt;/b&gt;" in text
    assert "<b>yes" not in text


def test_what_to_ask_again_is_a_list_with_a_curve(tmp_path):
    report = report_of(tmp_path, {"number_scores": NUMBERS, "question_plan": PLAN})
    [again] = report.sections
    form, ways = again.figures
    assert form.table.rows == [
        ["0", "", "", "0.800", "0.790", "0.810", "60.0 %"],
        ["1", "<b>Q2</b>", "50.0 %", "0.700", "0.690", "0.710", "65.0 %"],
    ]
    assert [row[:4] for row in ways.table.rows] == [
        ["The same questions for all", "1", "0.700", ""],
        ["Questions drawn by lot", "1", "0.750", "0.050"],
    ]
    text = render(report)
    assert "If you ask again" in text
    assert "1. &lt;b&gt;Q2" in text
    assert "<b>Q2" not in text


def test_what_precision_costs_and_what_blocks_lose(tmp_path):
    models = {"number_scores": NUMBERS, "survey_plan": COSTS, "design_blocks": BLOCKS}
    [again] = report_of(tmp_path, models).sections
    lost, frontier, worth, without = again.figures
    assert lost.table.rows == [["Q1", "A", "50.0 %", "1.29", "1.41"]]
    assert [row[1:7] for row in frontier.table.rows] == [
        ["humans_and_llm", "history (mine)", "700", "25.0", "9,000", "790"],
        ["humans", "", "1,068", "25.0", "0", "1,068"],
    ]
    assert worth.table.rows[0][:4] == ["Q1", "history (mine)", "40.0 %", "10.0 %"]
    assert "9,000 LLM calls" in frontier.charts[0][1]
    assert worth.table.rows[1][2:] == ["", "10.0 %", "900", "0", "100", "too few"]
    assert without.table.rows == [["Q3", "in texts"]]


def test_what_costs_much_and_adds_nothing_is_said_with_what_to_write_instead(tmp_path):
    models = {"number_scores": NUMBERS, "predictors_cost": PREDICTORS_COST.format(high=0.0034)}
    report = report_of(tmp_path, models)
    [section] = report.sections
    [figure] = section.figures
    assert [row[:4] for row in figure.table.rows] == [
        ["logistic_answers", "yes", "0.05", "12"],
        [HOSTILE, "yes", "2.50", "12"],
        ["majority", "no", "", "12"],
    ]
    assert figure.table.rows[1][6:9] == ["0.0004", "-0.0020", "0.0034"]
    # The one that is no part is grey; of each it is said what it takes.
    assert figure.charts[0][1].count(" few") == 1
    assert "logistic_answers, under 0.1 s of CPU" in figure.charts[0][1].replace("<wbr>", "")
    [said] = section.said
    assert f"s: {HOSTILE} may be left out. It takes 2.5 s of the 2.5 s of CPU" in said
    assert "may be chance: 0.0004 nats an answer [-0.0020, 0.0034]" in said
    assert said.endswith("vars: {predictors: [logistic_answers, majority]}")
    text = render(report)
    assert "What each predictor costs and adds" in text
    assert HOSTILE not in text


def test_what_may_add_something_stays(tmp_path):
    models = {"number_scores": NUMBERS, "predictors_cost": PREDICTORS_COST.format(high=0.02)}
    [section] = report_of(tmp_path, models).sections
    assert section.said[0].startswith("s: there is nothing to leave out.")
    assert "400 tuning pairs do not say" in section.said[0]


def test_sections_without_a_table_are_left_out(tmp_path):
    report = report_of(tmp_path, {"number_scores": NUMBERS})
    assert report.sections == []
    assert "How many people it takes" not in render(report)


def test_errors_of_numbers_have_intervals_over_people(tmp_path):
    report = report_of(tmp_path, {"number_scores": NUMBERS})
    [figure] = report.numbers
    # Errors .1 .1 | .2 | .4 of three people: the mean .2, and residuals of people -.2, 0 and .2.
    half = 1.96 * (0.2**2 + 0.2**2) ** 0.5 / 4
    assert figure.table.rows == [["median", "0.200", f"{0.2 - half:.3f}", f"{0.2 + half:.3f}", "4"]]
    assert "the leaderboard is empty" in answer(report, "How good?")
    assert "Questions answered with a number" in render(report)


def test_axes_have_round_numbers_that_fit_the_chart():
    assert ticks(0.53, 0.74) == [0.55, 0.6, 0.65, 0.7]
    assert ticks(-0.012, 0.031) == [-0.01, 0.0, 0.01, 0.02, 0.03]
    assert ticks(0, 1) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    costs = dots([Dot("a", 1_250_000.0), Dot("b", 3e6)], "costs", digits=0, reference=0.0)
    assert all(text in costs for text in (">1,250,000<", ">2,000,000<"))
    chart = dots([Dot("a", 0.98, 0.9, 1.0)], "accuracy", percent=True, unit="accuracy, %")
    assert re.findall(r'<i style="left:[^"]*">([^<]*)</i>', chart) == ["90", "95", "100"]
    assert "accuracy, %</span>" in chart


def test_groups_of_few_people_are_grey_and_say_how_many(tmp_path):
    groups = """
    select 's' as survey, 'known' as scenario, 'all' as pairs, 'majority' as predictor,
        null::varchar as llm, 'AGE' as attribute, g as "group", 'value' as measure,
        'accuracy' as metric, 0.5 as value, 0.4 as low, 0.6 as high, n, n as respondents
    from (values ('young', 49), ('old', 500)) as t(g, n)
    """
    models = {"leaderboard": LEADERBOARD.format(low="0.05"), "group_metrics": groups}
    report = report_of(tmp_path, models)
    [figure] = [f for f in report.parts[0].figures if "by group" in f.caption]
    assert figure.caption == (
        "Accuracy by group, of the most common answer, people counted by survey weight (majority);"
        " groups of fewer than 50 people are grey"
    )
    [(_, chart)] = figure.charts
    rows = re.findall(r'class="row ([^"]*)"><span class="label">(\w+) <small>([^<]*)', chart)
    assert sorted(rows) == [("plain", "old", "500 people"), ("plain few", "young", "49 people")]


def test_what_reads_alike_does_not_look_apart():
    rounding = dots([Dot("a", 1e-16), Dot("b", -1e-16)], "gains", reference=0.0)
    assert re.findall(r'class="mark" style="left:([^"]*)"', rounding) == ["50.00%", "50.00%"]
    apart = dots([Dot("a", 0.1), Dot("b", -0.1)], "gains", reference=0.0)
    assert re.findall(r'class="mark" style="left:([^"]*)"', apart) == ["95.45%", "4.55%"]


def test_names_cannot_become_markup(tmp_path):
    models = {"leaderboard": LEADERBOARD.format(low="0.05"), "router": ROUTER}
    text = render(report_of(tmp_path, models))
    assert "&lt;img src=x" in text
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append(tag)
            assert not [name for name, _ in attrs if name.startswith("on")]

    Reader().feed(text)
    assert "figure" in seen
    assert not {"img", "script", "iframe", "object"} & set(seen)


def test_without_an_evaluation_there_is_no_report(tmp_path):
    with pytest.raises(StoreError, match="the evaluation is not built yet"):
        report_of(tmp_path, {"one": "select 1 as n"})


def test_what_changed_between_two_waves(tmp_path):
    report = report_of(tmp_path, {"number_scores": NUMBERS, "estimate_changes": CHANGES})
    (section,) = report.sections
    (figure,) = section.figures
    assert figure.caption.startswith("w1 to w2: 1 of 2 shares of 1 questions changed beyond chance")
    assert [row[4:] for row in figure.table.rows] == [
        ["+10.0", "+5.0", "+15.0", "yes"],
        ["-2.0", "-7.0", "+3.0", "no"],
    ]
    assert "<img" not in render(report)
