-- A published version of a decision table never changes, and a table keeps its name.
CREATE OR REPLACE TRIGGER table_version_immutable BEFORE UPDATE OR DELETE ON workflows_app_decisiontableversion
    FOR EACH ROW EXECUTE FUNCTION wf_refuse_version_change();
CREATE OR REPLACE TRIGGER table_append_only BEFORE UPDATE OR DELETE ON workflows_app_decisiontable
    FOR EACH ROW EXECUTE FUNCTION wf_refuse_change();
