-- Tracking asks for a client's account without knowing at which business it is: without this, each
-- such lookup reads all the accounts that a tenant has at the provider.
create index client_service_mappings_by_account
    on client_service_mappings (tenant_id, provider, external_client_id);
