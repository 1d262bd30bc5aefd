{{ config(materialized='table') }}
-- The personas as a sheet: one row per respondent, one column per dimension, named as the dimension.
-- Where two dimensions have one name, their ids stand behind it.

with named as (
    select
        survey, respondent_id, value,
        if(
            count(distinct dimension_id) over (partition by survey, dimension) > 1,
            dimension || ' (' || dimension_id || ')',
            dimension
        ) as dimension
    from {{ ref('personas') }}
)

select *
from (
    pivot named on dimension using any_value(value) group by survey, respondent_id
    order by survey, respondent_id
)
