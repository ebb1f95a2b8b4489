// What Grafana takes, by its own schema, of the kinds of panels and queries that the dashboard has.
import type { Dashboard, DataSourceRef, FieldConfig, Panel, VariableModel } from '@grafana/schema';
import type {
  FieldConfig as TimeSeriesFields,
  Options as TimeSeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** JSON has the values of an enumeration and not its names. */
type Json<T> = T extends string
  ? `${T}`
  : T extends readonly (infer Element)[]
    ? Json<Element>[]
    : T extends object
      ? { [Member in keyof T]: Json<T[Member]> }
      : T;

type With<T, Members extends keyof T> = T & Required<Pick<T, Members>>;

/** A query of Prometheus: its schema is its plugin's, and no package has it. */
interface PrometheusQuery {
  refId: string;
  datasource: Required<Pick<DataSourceRef, 'type' | 'uid'>>;
  expr: string;
  legendFormat: string;
}

interface TimeSeriesPanel
  extends Omit<With<Panel, 'id' | 'title' | 'gridPos' | 'datasource'>, 'fieldConfig' | 'options'> {
  type: 'timeseries';
  options: TimeSeriesOptions;
  fieldConfig: { defaults: With<FieldConfig<TimeSeriesFields>, 'unit'>; overrides: [] };
  targets: PrometheusQuery[];
}

export type Ours = Json<
  Omit<With<Dashboard, 'title' | 'uid' | 'time' | 'version'>, 'panels' | 'templating'> & {
    panels: TimeSeriesPanel[];
    templating: { list: VariableModel[] };
  }
>;
