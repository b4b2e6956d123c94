-- Answers that have run out are sought by their time alone.
create index idempotency_answers_by_expiry on idempotency_answers (expires_at);
