-- A valid prediction is one of the question's options.
select p.*
from {{ ref('predictions') }} as p
join {{ ref('questions') }} as q using (survey, question_id)
where p.status = 'valid' and not list_contains(q.options, p.answer)
