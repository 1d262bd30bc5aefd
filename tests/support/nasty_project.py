"""A small survey project whose texts try to break out of every page they are shown on."""

from __future__ import annotations

import json
import re
from pathlib import Path

# What a respondent or an LLM may have written.
NASTY = "</script><img src=x onerror=alert(1)> \u2028 ' \\ {{ 7*7 }} <!-- & \x7f"


FILES = {
    "lupom_project.yml": "name: demo\nmodels:\n  +materialized: table\n",
    "models/respondents.sql": """
        select 'test' as survey, i::varchar as respondent_id, 1.0 as weight,
            map {'AGE': if(i % 2 = 0, '18-29', '65+'), '__proto__': 'NASTY'} as attributes
        from range(450) as t(i)""",
    "models/questions.sql": """
        select 'test' as survey, 'q' || i as question_id, i as position, 'NASTY' as question,
            ['Yes', 'No'] as options
        from range(3) as t(i)""",
    "models/known_responses.sql": """
        select r.survey, respondent_id, question_id, 'known' as role, 'answered' as status,
            if(question_id = 'q2', 'NASTY', 'Yes') as answer
        from {{ ref('respondents') }} as r, {{ ref('questions') }} as q""",
    "models/persona_dimensions.sql": """
        select 'test' as survey, d as dimension_id, upper(d) as name, 'NASTY' as description,
            'low' as level, ['low', 'high'] as candidate_values
        from (values ('trust'), ('thrift')) as t(d)""",
    "models/persona_values.sql": """
        select r.survey, respondent_id, dimension_id,
            case when respondent_id = '1' then null else 'low' end as value
        from {{ ref('respondents') }} as r, {{ ref('persona_dimensions') }} as d""",
    # Two networks and two ways to find neighbours, of which the site shows those in use.
    "models/persona_networks.sql": """
        select 'test' as survey, unnest(['bds', 'bic']) as network,
            unnest([true, false]) as is_default""",
    "models/retrieval_settings.sql": """
        select 'test' as survey, unnest(['near', 'far']) as retrieval, 'bds' as network,
            unnest([true, false]) as is_default""",
    "models/refined_persona_values.sql": """
        select survey, network, respondent_id, dimension_id, value,
            if(network = 'bds', 'high', 'low') as refined_value,
            if(network = 'bds', 0.75, 0.5) as probability, 0.25 as raw_probability
        from {{ ref('persona_values') }} join {{ ref('persona_networks') }} using (survey)""",
    "models/persona_network_edges.sql": """
        select 'test' as survey, 'bds' as network, 'trust' as parent, 'thrift' as child,
            2.5 as gain, 0.01 as p_value, 450 as n
        union all
        select 'test', 'bic', 'thrift', 'trust', 1.0, 0.02, 450""",
    "models/similar_respondents.sql": """
        select survey, retrieval, network, respondent_id,
            ((respondent_id::int + if(retrieval = 'near', 1, 7)) % 450)::varchar as neighbour_id,
            1 as rank, 0.9 as similarity
        from {{ ref('respondents') }} join {{ ref('retrieval_settings') }} using (survey)""",
    "models/scores.sql": """
        select survey, respondent_id, 'q0' as question_id, 'history' as predictor, 'NASTY' as llm,
            'Yes' as answer, map {'Yes': 0.8, 'No': 0.2} as probabilities, 'No' as truth,
            false as correct
        from {{ ref('respondents') }}""",
    "models/number_scores.sql": """
        select 'test' as survey, '1' as respondent_id, 'age_at_first_job' as question_id,
            'median' as predictor, null::varchar as llm, 18.5 as value, 21.0 as truth""",
    "models/leaderboard.sql": """
        select 'test' as survey, 'known' as scenario, 'all' as pairs, p as predictor,
            null::varchar as llm, a as accuracy, a - 0.05 as low, a + 0.05 as high, 0.7 as nll,
            0.02 as calibration, 0.0 as invalid, 100 as n, null::double as vs_best,
            null::double as vs_low, null::double as vs_high
        from (values ('majority', 0.5), ('history', 0.6)) as t(p, a)""",
    "models/metrics.sql": """
        select survey, scenario, predictor, llm, pairs, 'none' as weighting, 'accuracy' as metric,
            accuracy as value, low, high, n
        from {{ ref('leaderboard') }}""",
    "models/calibration.sql": """
        select survey, scenario, pairs, predictor, llm, b as bin, (b - 1) / 10 as from,
            b / 10 as to, 10 as n, (b - 0.5) / 10 as confidence, b / 11 as accuracy,
            (b - 0.9) / 11 as low, (b + 0.9) / 11 as high
        from {{ ref('leaderboard') }}, range(1, 11) as t(b)""",
    "models/comparisons.sql": """
        select 'test' as survey, 'known' as scenario, 'all' as pairs, 'accuracy' as metric,
            'history' as predictor, null::varchar as llm, 'majority' as against,
            null::varchar as against_llm, true as best_baseline, 0.1 as difference, 0.02 as low,
            0.18 as high, 0.01 as p_holm, 100 as n, 'history' as favours""",
    "models/group_metrics.sql": """
        select survey, scenario, pairs, predictor, llm, 'AGE' as attribute, g as group,
            'value' as measure, 'accuracy' as metric, accuracy as value, low, high, n
        from {{ ref('leaderboard') }}, (values ('18-29'), ('65+')) as t(g)""",
    "seeds/spare.csv": "n\n1\n",
    "models/models.yml": """
        version: 2
        models:
          - name: respondents
            description: NASTY
            config: {tags: [people]}
            columns:
              - {name: respondent_id, description: Who., data_tests: [not_null]}
    """.replace("NASTY", "Who was asked </script>."),
}


def write_project(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NASTY", NASTY.replace("'", "''").replace("{{ 7*7 }}", "")))
    return folder


def evaluated(expression: str):
    """Evaluate what shards.literal makes: JSON within a JavaScript string."""
    inner = re.fullmatch(r"JSON\.parse\('([^']*)'\)", expression)
    assert inner is not None
    string = inner[1].replace("\\\\", "\\u005c")
    return json.loads(re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), string))
