{{ config(materialized='view') }}
-- Questions with options. Numbers and texts have none to predict or to score by: number_baselines and
-- number_scores have numeric questions.

select * from {{ ref('questions') }}
where kind not in ('numeric', 'text')
