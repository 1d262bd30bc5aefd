{{ config(materialized='table') }}
-- The persona dimensions of each survey: those that passed both checks. A dimension whose check came
-- back invalid is kept.

select d.survey, d.dimension_id, d.name, d.description, d.level, d.candidate_values, d.ordered
from {{ ref('dimension_drafts') }} as d
left join {{ ref('demographic_checks') }} as f using (survey, dimension_id)
left join {{ ref('duplicate_checks') }} as s using (survey, dimension_id)
where coalesce(f.kind, '') <> 'a demographic fact'
    and coalesce(s.verdict, '') <> 'one and the same thing'
