{{ config(materialized='llm', prompt='merge_dimensions', response='MergedDimension',
          key=['survey', 'level', 'cluster']) }}
-- One dimension in place of each cluster of candidates with several names. The prompt shows the names
-- given most often.

with named as (
    select survey, level, cluster, name, any_value(description order by description) as description,
        count(*) as times, count(*) over (partition by survey, level, cluster) as n_names
    from {{ ref('dimension_clusters') }}
    group by survey, level, cluster, name
),

shown as (
    select *
    from named
    where n_names > 1
    qualify row_number() over (partition by survey, level, cluster order by times desc, name)
        <= {{ var('dimension_members_shown', 3) }}
)

select
    survey, level, cluster,
    list(struct_pack(name := name, description := description) order by times desc, name) as members
from shown
group by survey, level, cluster
