-- Lists of one tenant's tokens, users and connections, in the order in which they were made.
create index api_tokens_by_tenant on api_tokens (tenant_id, id);
create index users_by_tenant on users (tenant_id, id);
create index connections_by_tenant on connections (tenant_id, id);
