import Foundation
import Optimizers
import Pipeline
import Store
import Testing

@Suite struct RecipeSchemaTests {
    @Test func theSchemaKnowsExactlyTheKeysThatRecipesTake() throws {
        let schema = try JSONValue(parsing: [UInt8](Data(contentsOf: Repository.file("Schemas/recipe.schema.json"))))
        let keys =
            Recipe.keys.map(\.name) + Catalogue.rows.flatMap { ($0.keys + $0.conditionalKeys).map(\.name) }
            + ObjectiveCatalogue.rows.flatMap { $0.keys.map(\.name) }
        #expect(Set(try #require(schema["properties"]?.objectValue).keys) == Set(keys))
        let listed = try Set(
            #require(schema["properties"]?["optimizer"]?["enum"]?.arrayValue).compactMap(\.stringValue))
        #expect(listed == Set(Catalogue.names))
        let objectives = try Set(
            #require(schema["properties"]?["objective"]?["enum"]?.arrayValue).compactMap(\.stringValue))
        #expect(objectives == Set(ObjectiveCatalogue.names))
        let searches = try Set(#require(schema["properties"]?["search"]?["enum"]?.arrayValue).compactMap(\.stringValue))
        #expect(searches == Set(SearchKind.allCases.map(\.rawValue)))
        let orders = try Set(#require(schema["properties"]?["unit_order"]?["enum"]?.arrayValue).compactMap(\.stringValue))
        #expect(orders == Set(UnitOrder.allCases.map(\.rawValue)))
        let schedules = try Set(
            #require(schema["properties"]?["schedule"]?["enum"]?.arrayValue).compactMap(\.stringValue))
        #expect(schedules == Set(Schedule.names))
    }

    /// Recipes, and whether they make sense on their own.
    private static let samples: [(String, Bool)] = [
        ("{}", true),
        (
            "{\"learning_rate\": 1e-4, \"epochs\": 2.5, \"betas\": [0.9, 0.98], \"freeze\": [\"embeddings\", \"0-1\"]}",
            true
        ),
        ("{\"optimizer\": \"sgd\", \"momentum\": 0.5, \"nesterov\": true, \"evaluate\": 10, \"patience\": 2}", true),
        (
            "{\"optimizer\": \"plasls\", \"units\": \"blocks\", \"unit_order\": \"random\", \"growth_period\": 500}", true
        ),
        ("{\"search\": \"armijo\", \"armijo_c\": 0.3, \"growth_period\": \"epoch\", \"interval_betas\": [1, 2]}", false),
        ("{\"optimizer\": \"adamsls\", \"armijo_c\": 1}", false), ("{\"optimizer\": \"plasls\", \"units\": 0}", false),
        ("{\"epochs\": 1, \"steps\": 2}", false), ("{\"epochs\": 0}", false), ("{\"batch_size\": 0}", false),
        ("{\"batch_size\": 2.5}", false),
        ("{\"betas\": [0.9]}", false), ("{\"betas\": [0.9, 1]}", false), ("{\"evaluate\": \"often\"}", false),
        ("{\"select\": \"first\"}", false),
        ("{\"lerning_rate\": 1}", false), ("{\"class_weights\": \"balanced\"}", true),
        ("{\"class_weights\": [1, -1]}", false),
        (
            "{\"optimizer\": \"lamb\", \"trust_clip\": [0.01, 10], \"reference_batch\": 1024, "
                + "\"batch_scaling\": \"linear\"}", true
        ),
        ("{\"optimizer\": \"lamb\", \"trust_clip\": []}", true),
        ("{\"optimizer\": \"lamb\", \"trust_clip\": [0.01]}", false),
        ("{\"optimizer\": \"lars\", \"trust_coefficient\": 0.002, \"momentum\": 0}", true),
        ("{\"optimizer\": \"lars\", \"trust_coefficient\": 0}", false), ("{\"reference_batch\": -1}", false),
        ("{\"batch_scaling\": \"log\"}", false),
        ("{\"objective\": \"scala\", \"noise_delay\": 0.25, \"noise_mode\": \"clean-kl\", \"kl_weight\": 2}", true),
        ("{\"objective\": \"freelb\", \"passes\": 4, \"optimizer\": \"lamb\"}", true),
        ("{\"objective\": \"freelb\", \"passes\": 0}", false), ("{\"objective\": \"noise\"}", false),
        ("{\"objective\": \"r3f\", \"noise_share\": 1.5}", false), ("{\"sharpness_radius\": 0.1}", true),
        ("{\"sharpness_radius\": -1}", false), ("{\"dropout\": 1}", false), ("{\"precision\": \"fp7\"}", false),
    ]

    @Test(arguments: samples)
    func schemaAndReaderAgree(json: String, makesSense: Bool) throws {
        let value = try JSONValue(parsing: Array(json.utf8))
        let isValid = (try? SchemaChecker("recipe").check(value)) != nil
        #expect(isValid == makesSense)
        // JSON is YAML.
        let isRead = (try? Recipe(Recipe.values(yaml: json, file: "recipe.yaml"))) != nil
        #expect(isRead == makesSense)
    }
}
