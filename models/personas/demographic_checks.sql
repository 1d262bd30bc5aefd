{{ config(materialized='llm', prompt='check_demographic', response='DemographicCheck',
          key=['survey', 'dimension_id']) }}
-- Whether a dimension restates what is known of every respondent anyway: age, income and so on.
-- The option that keeps the dimension comes first. A small model chooses by place: the embedded one
-- told 8 demographics from 12 attitudes no better than chance, in either order of the options.

with attributes as (
    select survey, list(distinct attribute order by attribute) as attributes
    from (select survey, unnest(map_keys(attributes)) as attribute from {{ ref('respondents') }})
    group by survey
)

select
    d.survey, d.dimension_id, d.name, d.description,
    coalesce(a.attributes, []) as attributes,
    ['an attitude, belief or value', 'a demographic fact'] as kinds
from {{ ref('dimension_drafts') }} as d
left join attributes as a using (survey)
