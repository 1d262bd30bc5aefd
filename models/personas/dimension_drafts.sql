{{ config(materialized='table') }}
-- One dimension for each cluster, before it is checked: what the LLM wrote in place of the cluster,
-- or, where all its candidates have one name, that candidate. Of two with one name the one that more
-- candidates stand behind is kept. `place` is the order of precedence in the checks. With `persona_scale: ends` a scale is its
-- two ends: what lies between draws a small model to it, whoever is asked about.

with scaled as (
    select
        survey, level, cluster, cluster_size,
        mode(scale order by scale) as scale,
        count(distinct name) as n_names,
        any_value(name order by name) as name,
        any_value(description order by description) as description
    from {{ ref('dimension_clusters') }}
    group by survey, level, cluster, cluster_size
),

named as (
    select
        s.survey, s.level, s.cluster, s.cluster_size, s.scale,
        trim(coalesce(m.name, s.name)) as name,
        trim(coalesce(m.description, s.description)) as description
    from scaled as s
    left join {{ ref('merged_dimensions') }} as m using (survey, level, cluster)
    where s.n_names = 1 or m.name is not null
),

identified as (
    select *, trim(regexp_replace(lower(name), '[^[:alnum:]]+', '_', 'g'), '_') as dimension_id
    from named
)

select
    survey, dimension_id, name, description, level,
    {% if var('persona_scale', 'all') == 'ends' %}
    [string_split(scale, ' / ')[1], string_split(scale, ' / ')[-1]] as candidate_values,
    {% else %}
    string_split(scale, ' / ') as candidate_values,
    {% endif %}
    cluster_size,
    row_number() over (partition by survey order by cluster_size desc, dimension_id) as place
from identified
where dimension_id <> ''
qualify row_number() over (partition by survey, dimension_id order by cluster_size desc, cluster) = 1
