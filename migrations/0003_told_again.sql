-- The call or message in which an event was told that waits for a person: a later telling there
-- may do what the event could not. And the booking that did.
alter table webhook_events add column review_context text;
alter table webhook_events add column told_again_as uuid;
create index webhook_events_by_review on webhook_events (tenant_id, review_context)
    where status = 'needs_review';
