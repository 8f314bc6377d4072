// Package check holds the tests over the whole tree: that one name means one
// thing in folders, template, routes and events, that imports go one way, that
// what is exported is explained, and that the template grants and sets what
// the code needs and no more.
//
// Nothing here runs the system. A rule that has exceptions lists them as data,
// each with its reason.
package check
