{{ config(materialized='table') }}
-- One dimension for each cluster, before it is checked: what the LLM wrote in place of the cluster, or,
-- where all its candidates have one name or its merging came back invalid, the candidate given most
-- often. Of two with one name the one that more candidates stand behind is kept. `place` is the order of
-- precedence in the checks.
-- Values are those that the LLM wrote. A small LLM only chooses a scale, and of that the two ends are
-- taken: what lies between draws a small model to it, whoever is asked about. Without a merged dimension
-- there is none for such a cluster.

with clusters as (
    select
        survey, level, cluster, cluster_size,
        count(distinct name) as n_names,
        any_value(name order by name) as name,
        any_value(description order by description) as description,
        mode(scale order by scale) as scale
    from {{ ref('dimension_clusters') }}
    group by survey, level, cluster, cluster_size
),

-- Of candidates with values of their own, the one given most often.
written as (
    select survey, level, cluster, name, description, candidate_values, ordered
    from (
        select *, count(*) over (partition by survey, level, cluster, name) as times
        from {{ ref('dimension_clusters') }}
        where candidate_values is not null
    )
    qualify row_number() over (
        partition by survey, level, cluster
        order by times desc, name, description, candidate_values, ordered
    ) = 1
),

named as (
    select
        c.survey, c.level, c.cluster, c.cluster_size,
        trim(coalesce(m.name, w.name, c.name)) as name,
        trim(coalesce(m.description, w.description, c.description)) as description,
        coalesce(
            m.candidate_values, w.candidate_values,
            [string_split(c.scale, ' / ')[1], string_split(c.scale, ' / ')[-1]]
        ) as candidate_values,
        -- A scale goes from one end to the other.
        coalesce(if(m.candidate_values is null, w.ordered, m.ordered), true) as ordered
    from clusters as c
    left join {{ ref('merged_dimensions') }} as m using (survey, level, cluster)
    left join written as w using (survey, level, cluster)
    where c.n_names = 1 or m.name is not null or w.name is not null
),

identified as (
    select *,
        -- Letters of any script; a name without any goes by its cluster.
        coalesce(
            nullif(trim(regexp_replace(lower(nfc_normalize(name)), '[^\p{L}\p{M}\p{N}]+', '_', 'g'), '_'), ''),
            cluster
        ) as dimension_id
    from named
)

select
    survey, dimension_id, name, description, level, candidate_values, ordered, cluster_size,
    row_number() over (partition by survey order by cluster_size desc, dimension_id) as place
from identified
qualify row_number() over (partition by survey, dimension_id order by cluster_size desc, cluster) = 1
