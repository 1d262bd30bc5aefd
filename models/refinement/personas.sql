{{ config(materialized='table') }}
-- The personas to be read, one row per network, respondent and dimension.

select
    r.survey, r.network, r.respondent_id, d.level, d.name as dimension, d.description,
    r.refined_value as value, r.probability, r.value as inferred_value, d.dimension_id
from {{ ref('refined_persona_values') }} as r
join {{ ref('persona_dimensions') }} as d using (survey, dimension_id)
