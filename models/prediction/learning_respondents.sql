{{ config(materialized='table') }}
{%- set most = var('learn_from', 50000) %}
{%- set tested = var('learn_from_tested', true) %}
-- {{ 'Everybody of whom an answer is known' if tested else 'Reference respondents' }}, as predictors see them. Of very many a number is drawn by hash
-- of seed and id: what predictors learn does not get better with more, and takes as much longer.

select survey, respondent_id, attributes, weight
from {{ ref('respondents') }}
anti join (
    select survey, respondent_id from {{ ref('known_responses') }}
    group by survey, respondent_id
    having count(*) filter (role = 'test') > 0
    {%- if tested %}
        and count(answer) filter (
            (survey, question_id) in (select (survey, question_id) from {{ ref('closed_questions') }})
        ) = 0
    {%- endif %}
) using (survey, respondent_id)
{% if most is not none -%}
qualify row_number() over (
    partition by survey
    order by md5(concat_ws('|', '{{ var("seed", 1) }}', 'learn', survey, respondent_id)), respondent_id
) <= {{ most }}
{%- endif %}
