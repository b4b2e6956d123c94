-- What was told of a person who was erased: keyed hashes of its calls, messages and labelled
-- references, so that what is told there later does not bring the person back. They name nobody.
create table erased_tellings (
    tenant_id uuid not null references tenants (id),
    hash text not null,
    created_at timestamptz not null,
    primary key (tenant_id, hash)
);
