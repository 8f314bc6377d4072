package table_test

import (
	"testing"

	"github.com/dialplane/dialplane/shared/tabletest"
)

func TestMain(m *testing.M) { tabletest.Main(m) }

func TestTablesKeepThePromisesOfTheStores(t *testing.T) {
	t.Parallel()
	tabletest.Exercise(t, func(t testing.TB) tabletest.Stores { return tabletest.Local(t).Stores() })
}
