{{ config(materialized='table', filters_holdout=true) }}
-- The answers to the tuning pairs, for what is tuned or fitted on them, and for nothing that makes a
-- persona, a network, a neighbour or a prompt. Those of test pairs are taken out here.

select survey, respondent_id, question_id, answer
from {{ ref('holdout') }}
where role = 'tuning'
