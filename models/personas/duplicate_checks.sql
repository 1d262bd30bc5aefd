{{ config(materialized='llm', prompt='check_duplicate', response='DuplicateCheck',
          key=['survey', 'dimension_id']) }}
-- Whether a dimension means the same as the one before it that is most like it. The option that keeps
-- the dimension comes first: the embedded model chooses by place, as in demographic_checks.

select
    p.survey, p.dimension_id,
    d.name, d.description, d.level, d.candidate_values,
    o.name as other_name, o.description as other_description, o.level as other_level,
    o.candidate_values as other_values,
    ['two different things', 'one and the same thing'] as verdicts,
    a.title, a.fielded, a.population, a.country, a.language
from {{ ref('dimension_pairs') }} as p
join {{ ref('dimension_drafts') }} as d on d.survey = p.survey and d.dimension_id = p.dimension_id
join {{ ref('dimension_drafts') }} as o on o.survey = p.survey and o.dimension_id = p.other_id
left join {{ ref('surveys') }} as a on a.survey = p.survey
