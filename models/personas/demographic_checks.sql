{{ config(materialized='llm', prompt='check_demographic', response='DemographicCheck',
          key=['survey', 'dimension_id']) }}
-- Whether a dimension restates what is known of every respondent anyway: age, income and so on.
-- The option that keeps the dimension comes first. A small model chooses by place: the embedded one
-- told 8 demographics from 12 attitudes no better than chance, in either order of the options.

with attributes as (
    select survey, attribute, value, count(*) as times
    from (
        select survey, unnest(map_entries(attributes)).key as attribute,
            unnest(map_entries(attributes)).value as value
        from {{ ref('respondents') }}
    )
    group by survey, attribute, value
),

valued as (
    select
        survey, attribute,
        list(value order by times desc, value)[:{{ var('attribute_values_shown', 10) }}] as shown,
        greatest(count(*) - {{ var('attribute_values_shown', 10) }}, 0) as more
    from attributes
    group by survey, attribute
),

known as (
    select
        v.survey,
        list(v.attribute order by v.attribute) as attributes,
        list(
            struct_pack(
                key := v.attribute, label := coalesce(l.label, v.attribute),
                shown := v.shown, more := v.more
            )
            order by l.position nulls last, v.attribute
        ) as known
    from valued as v
    left join {{ ref('attribute_labels') }} as l using (survey, attribute)
    group by v.survey
)

select
    d.survey, d.dimension_id, d.name, d.description, d.candidate_values,
    coalesce(k.attributes, []) as attributes,
    coalesce(k.known, []) as known,
    ['an attitude, belief or value', 'a demographic fact'] as kinds,
    a.title, a.fielded, a.population, a.country, a.language
from {{ ref('dimension_drafts') }} as d
left join known as k using (survey)
left join {{ ref('surveys') }} as a using (survey)
