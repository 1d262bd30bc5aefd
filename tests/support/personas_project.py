"""A small project of the shipped refinement models over two surveys, whose personas are made up."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]

MODELS = {
    "questions": "select unnest(['panel', 'other']) as survey",
    "prediction_settings": """
        select 'a' as setting, 'refined' as persona, 'none' as neighbours, 'bic' as network
        """,
    # 'Trust' is the name of two dimensions of one survey; the other survey has one dimension.
    "persona_dimensions": """
        select 'panel' as survey, * from (values
            ('trust_in_science', 'Trust in science', 'high', ['low', 'high']),
            ('news', 'News', 'mid', ['never', 'Daily = often', 'always']),
            ('trust_1', 'Trust', 'mid', ['no', 'yes']),
            ('trust_2', 'Trust', 'low', ['no', 'yes'])
        ) as d(dimension_id, name, level, candidate_values)
        union all
        select 'other', 'news', 'News', 'low', ['no', 'yes']
        """,
    "persona_values": """
        select survey, format('r{:03}', i) as respondent_id, dimension_id,
            case
                when dimension_id = 'trust_2' and i % 5 = 0 then null
                else candidate_values[1 + (i * (if(dimension_id = 'news', 3, 7)) % 10 // 4)
                    % len(candidate_values)]
            end as value
        from {{ ref('persona_dimensions') }}, range(90) as t(i)
        where survey = 'panel' or {{ var('both', true) }}
        """,
}


def make(folder: Path) -> Path:
    """Write the project into a folder."""
    (folder / "models" / "refinement").mkdir(parents=True)
    (folder / "seeds").mkdir()
    for name in ("persona_networks", "persona_network_edges", "persona_network_parameters"):
        path = f"models/refinement/{name}.py"
        shutil.copy(ROOT / path, folder / path)
    shutil.copy(ROOT / "seeds" / "networks.csv", folder / "seeds" / "networks.csv")
    for name, sql in MODELS.items():
        head = "{{ config(materialized='table') }}\n"
        (folder / "models" / f"{name}.sql").write_text(head + sql, encoding="utf-8")
    (folder / "lupom_project.yml").write_text("name: people\n", encoding="utf-8")
    return folder
