"""Several persona networks and retrieval settings in one run, down to the leaderboard."""

from __future__ import annotations

import csv

from lupom import Project
from tests.shipped.conftest import copy_project, read_csv, write_csv
from tests.support.answers import personas
from tests.support.llm_server import LLMServer

NETWORKS = ("none", "published_bds", "published_bdeu", "published_bic")
VARS = {
    "test_pairs": 150,
    "tuning_pairs": 150,
    "llm_test_respondents": 12,
    "llm_reference_respondents": 25,
    "llm_pairs": 4,
    "llm_tuning_pairs": 4,
}


def test_networks_and_no_network_by_two_retrievals_stand_in_one_table(tmp_path):
    with LLMServer(answers=personas) as server:
        folder = copy_project(tmp_path / "project", respondents=250, base_url=server.base_url)
        path = folder / "seeds" / "settings.csv"
        rows = read_csv(path)
        with path.open(encoding="utf-8", newline="") as file:
            (base,) = (r for r in csv.DictReader(file) if r["setting"] == "everything")
        names = []
        for network in NETWORKS:
            for retrieval in ("default", "answers"):
                names.append(f"{network}_{retrieval}")
                row = base | {"setting": names[-1], "network": network, "retrieval": retrieval}
                rows.append([row[column] for column in rows[0]])
        write_csv(path, rows)
        with Project(folder, vars=VARS | {"prediction_settings": names}) as project:
            result = project.run(tests=True)
            assert [
                (n.node, n.message) for n in result.nodes if n.status in ("error", "fail")
            ] == []

            def query(sql):
                return project.query(sql).rows()

            fitted = query("select network from persona_networks where not is_default order by 1")
            assert [name for (name,) in fitted] == [
                "published_bdeu",
                "published_bds",
                "published_bic",
            ]
            # Each is looked for once: known answers are the same under every network.
            found = query(
                "select retrieval, network from retrieval_settings"
                " where not is_default order by all"
            )
            own = [("default", name) for (name,) in fitted]
            assert found == [("answers", "none"), ("default", "none"), *own]
            # A row a setting and pair, with the persona of its own network or the LLM's own.
            counts = dict(query("select setting, count(*) from prediction_requests group by all"))
            assert counts.keys() == set(names)
            assert len(set(counts.values())) == 1
            wrong = query("""
                select r.setting, r.respondent_id
                from prediction_requests as r
                join setting_variants as x using (survey, setting)
                join persona_networks as w using (survey)
                join refined_persona_values as v
                    on v.respondent_id = r.respondent_id and v.network = w.network
                join persona_dimensions as d using (dimension_id)
                where if(x.network = 'none', w.is_default, w.network = x.network)
                    and if(x.network = 'none', v.value, v.refined_value)
                        is distinct from list_filter(r.persona, lambda p: p.name = d.name)[1].value
            """)
            assert wrong == []
            assert query("select count(*) from refined_persona_values where changed")[0][0] > 0
            scored = query("select distinct predictor from leaderboard where llm is not null")
            assert {name for (name,) in scored} >= set(names)
