{{ config(materialized='table') }}
-- The personas as a sheet: one row per network and respondent, one column per dimension, named as it.
-- Where two dimensions have one name, or one has that of a key column, the id stands behind it.

with named as (
    select
        survey, network, respondent_id, value,
        if(
            count(distinct dimension_id) over (partition by survey, lower(dimension)) > 1
            or lower(dimension) in ('survey', 'network', 'respondent_id'),
            dimension || ' (' || dimension_id || ')',
            dimension
        ) as dimension
    from {{ ref('personas') }}
)

select *
from (
    pivot named on dimension using any_value(value) group by survey, network, respondent_id
    order by survey, network, respondent_id
)
