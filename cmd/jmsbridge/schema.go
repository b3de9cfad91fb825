package main

import (
	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/config"
)

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration",
		Long: `Print the JSON Schema of bridge.yaml, for editors that complete and check the file as it is written. Save it beside
the file and let the file's first line name it:

  # yaml-language-server: $schema=bridge.schema.json`,
		Example: `  jmsbridge schema > bridge.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(schema)
			return err
		},
	}
}
