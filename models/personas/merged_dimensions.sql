{{ config(materialized='llm', prompt='merge_dimensions', response='MergedDimension',
          key=['survey', 'level', 'cluster']) }}
-- One dimension in place of each cluster of candidates with several names. The prompt shows the names
-- given most often, each with the values it was given with most often; small models see three.

with named as (
    select survey, level, cluster, name, any_value(description order by description) as description,
        count(*) as times, count(*) over (partition by survey, level, cluster) as n_names
    from {{ ref('dimension_clusters') }}
    group by survey, level, cluster, name
),

scaled as (
    select survey, level, cluster, name, candidate_values
    from {{ ref('dimension_clusters') }}
    where candidate_values is not null
    group by survey, level, cluster, name, candidate_values
    qualify row_number() over (
        partition by survey, level, cluster, name order by count(*) desc, candidate_values
    ) = 1
),

shown as (
    select *
    from named
    where n_names > 1
    qualify row_number() over (partition by survey, level, cluster order by times desc, name)
        <= {{ var('dimension_members_shown', 20) }}
),

members as (
    select
        survey, level, cluster,
        list(
            struct_pack(
                name := name, description := description, times := times,
                candidate_values := candidate_values
            )
            order by times desc, name
        ) as members
    from shown
    left join scaled using (survey, level, cluster, name)
    group by survey, level, cluster
)

select m.*, a.title, a.fielded, a.population, a.country, a.language
from members as m
left join {{ ref('surveys') }} as a using (survey)
