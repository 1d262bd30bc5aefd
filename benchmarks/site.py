"""Measures the site of a survey of 100,000 respondents: writing it, opening it, searching it.

    python benchmarks/site.py
    python benchmarks/site.py --respondents 20000

Prints a line of JSON: seconds to write the site, its files and megabytes; in headless Chromium,
from file://, milliseconds until the first respondents stand and until all can be searched, the
longest time without a frame meanwhile, and for each search the milliseconds from the key to the
drawn list.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from lupom import Project
from lupom.site import generate

MODELS = {
    "respondents": """
        select 'big' as survey, 'R' || i as respondent_id, 1.0 as weight, map {
            'AGE': ['18-29', '30-49', '50-64', '65+'][1 + i % 4],
            'SEX': ['Male', 'Female'][1 + (i // 3) % 2],
            'EDUCATION': ['Less than high school', 'High school', 'Bachelor'][1 + (i // 5) % 3],
            'RACE': ['White', 'Black', 'Asian', 'Other'][1 + (i // 7) % 4],
            'PARTY': ['Democrat', 'Republican', 'Independent'][1 + (i // 11) % 3],
            'REGION': ['Northeast', 'Midwest', 'South', 'West'][1 + (i // 13) % 4],
            'INCOME': 'bracket ' || (i // 17) % 9, 'CHILDREN': ((i // 19) % 6)::varchar,
            'MARITAL': ['Married', 'Never married', 'Divorced'][1 + (i // 23) % 3],
            'TOWN': 'Town ' || (i * 7919) % 3000
        } as attributes
        from range({n}) as t(i)""",
    "questions": """
        select 'big' as survey, 'q' || i as question_id, i as position,
            'Question number ' || i || ' of a survey of some length?' as question,
            ['Yes', 'Maybe', 'No'] as options
        from range(25) as t(i)""",
    "known_responses": """
        select survey, respondent_id, question_id, 'known' as role, 'answered' as status,
            options[(1 + hash(respondent_id || question_id) % 3)::int] as answer
        from {{ ref('respondents') }} join {{ ref('questions') }} using (survey)""",
    "persona_dimensions": """
        select 'big' as survey, 'd' || i as dimension_id, 'Dimension ' || i as name,
            '' as description, 'low' as level, ['low', 'middle', 'high'] as candidate_values
        from range(13) as t(i)""",
    "persona_values": """
        select r.survey, respondent_id, dimension_id,
            candidate_values[(1 + hash(respondent_id || dimension_id) % 3)::int] as value
        from {{ ref('respondents') }} as r join {{ ref('persona_dimensions') }} using (survey)""",
    "refined_persona_values": """
        select survey, respondent_id, dimension_id, value, value as refined_value,
            0.8 as probability, 0.7 as raw_probability
        from {{ ref('persona_values') }}""",
    "similar_respondents": """
        select survey, respondent_id,
            'R' || (hash(respondent_id || k) % {n}) as neighbour_id, k as rank,
            1 - k / 100 as similarity
        from {{ ref('respondents') }}, range(1, 21) as t(k)""",
}

QUERIES = ("R99", "female", "65+ female bachelor", 'TOWN="Town 77"', "r1 midwest", "nobody", "")

# The longest time between two frames, from here on.
_FRAMES = """() => {
  window.longest = 0;
  let last = performance.now();
  const frame = (now) => { window.longest = Math.max(window.longest, now - last); last = now;
    requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""

# From the key to the frame after the list was drawn.
_SEARCH = """(query) => new Promise((resolve) => {
  const box = document.getElementById("search");
  const begun = performance.now();
  box.value = query;
  box.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
})"""


def browse(site: Path, n: int, chromium: str) -> dict[str, Any]:
    """Open the site in Chromium and search it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(f"file://{site}/index.html")
        page.wait_for_selector("main[data-ready]")
        page.evaluate(_FRAMES)
        begun = time.perf_counter()
        page.evaluate("location.hash = '#/people'")
        page.wait_for_selector("tbody tr")
        first = time.perf_counter() - begun
        page.wait_for_selector(f"[role=status]:text-is('{n:,} respondents')", timeout=120_000)
        everyone = time.perf_counter() - begun
        longest = page.evaluate("window.longest")
        times = {
            query: [round(page.evaluate(_SEARCH, query), 1) for _ in range(5)] for query in QUERIES
        }
        begun = time.perf_counter()
        page.evaluate(f"location.hash = '#/person/big/{n // 2}'")
        page.wait_for_selector("h1:has-text('Respondent R')")
        opened = time.perf_counter() - begun
        browser.close()
    return {
        "first_rows_ms": round(1000 * first),
        "all_searchable_ms": round(1000 * everyone),
        "longest_without_a_frame_ms": round(longest),
        "search_ms": {query: max(values) for query, values in times.items()},
        "slowest_search_ms": max(max(values) for values in times.values()),
        "open_respondent_ms": round(1000 * opened),
    }


def main() -> None:
    """Parse the arguments and print a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--respondents", type=int, default=100_000)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "/usr/bin/chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "models").mkdir()
        (folder / "lupom_project.yml").write_text("name: big\nmodels: {+materialized: table}\n")
        for name, sql in MODELS.items():
            text = sql.replace("{n}", str(given.respondents))
            (folder / "models" / f"{name}.sql").write_text(text)
        with Project(folder) as project:
            result = project.run()
            if result.status != "success":
                raise SystemExit(f"the models were not built: {result}")
            begun = time.perf_counter()
            site = generate(project).parent
            written = time.perf_counter() - begun
        files = [path for path in site.rglob("*") if path.is_file()]
        print(
            json.dumps(
                {
                    "respondents": given.respondents,
                    "write_s": round(written, 1),
                    "files": len(files),
                    "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
                    **browse(site, given.respondents, given.chromium),
                }
            )
        )


if __name__ == "__main__":
    main()
