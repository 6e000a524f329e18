import Models
import Optimizers
import Testing

@testable import Pipeline

@Suite struct ObjectiveCatalogueTests {
    private func resolve(_ name: String, _ values: [String: HyperparameterValue] = [:]) throws -> ObjectiveRecipe {
        try ObjectiveCatalogue.row(named: name).resolve(values)
    }

    @Test func `defaults are those of the methods`() throws {
        #expect(try resolve("plain").settings == nil && resolve("plain").values.isEmpty)
        #expect(try resolve("scala").settings == .scala(noise: NoiseSettings()))
        #expect(try resolve("freelb").settings == .freeLB(noise: NoiseSettings(ascentSteps: 2)))
        #expect(try resolve("smart").settings == .smart(
            noise: NoiseSettings(initialization: .normal(1e-5), norm: .lInfinity, stepSize: 1e-3, radius: .infinity)))
        #expect(try resolve("r3f").settings == .r3f())
        #expect(try resolve("scala", ["noise_mode": "clean-kl"]).settings == .scalaCleanKL(noise: NoiseSettings()))
        #expect(try ObjectiveCatalogue.names.map { try resolve($0).activationSets } == [1, 1, 1, 2, 2])
    }

    @Test func `every key changes what is made of it`() throws {
        let changes: [String: HyperparameterValue] = [
            "noise_mode": "clean-kl", "kl_weight": 0.25, "ascent_steps": 3, "passes": 5, "noise_delay": 0.125, "noise_place": "normalized",
            "noise_init": "normal", "noise_size": 0.02, "noise_share": 0.5, "noise_interval": 4, "noise_norm": "linf", "noise_step": 0.7,
            "noise_radius": 0.9,
        ]
        for row in ObjectiveCatalogue.rows {
            for key in row.keys {
                var base: [String: HyperparameterValue] = [:]
                if key.name == "kl_weight", row.name == "scala" { base["noise_mode"] = "clean-kl" }
                var value = try #require(changes[key.name])
                if value == key.defaultValue { value = key.name == "noise_norm" ? "l2" : "uniform" }
                let before = try row.resolve(base), after = try row.resolve(base.merging([key.name: value]) { $1 })
                #expect(before.settings != after.settings, "\(row.name) \(key.name)")
                #expect(before.values != after.values)
                #expect(!key.explanation.isEmpty && !key.expectation.isEmpty)
            }
        }
    }

    @Test func `equal recipes have equal values`() throws {
        #expect(try resolve("scala", ["ascent_steps": 1.0, "noise_share": 1]).values == resolve("scala").values)
        let sized: [String: HyperparameterValue] = ["noise_init": "normal", "noise_size": 1e-5]
        #expect(try resolve("scala", ["noise_init": "normal"]).values == resolve("scala", sized).values)
        #expect(try resolve("scala").values["kl_weight"] == nil)
        #expect(try resolve("scala", ["noise_init": "zero"]).values["noise_size"] == nil)
    }

    @Test func `what makes no sense is refused`() throws {
        func refused(_ name: String, _ values: [String: HyperparameterValue], _ word: String) {
            #expect { _ = try resolve(name, values) } throws: { "\($0)".contains(word) }
        }
        refused("scale", [:], "scala")
        refused("plain", ["noise_size": 1], "noise_size")
        refused("scala", ["noise_rho": 1], "noise_step")
        refused("scala", ["kl_weight": 2], "noise_mode=label")
        refused("scala", ["noise_init": "zero", "noise_size": 1], "noise_init=zero")
        refused("freelb", ["passes": 1, "noise_step": 5], "passes=1")
        refused("smart", ["ascent_steps": 0, "noise_norm": "l2"], "ascent_steps=0")
        refused("scala", ["noise_mode": "clean-kl", "noise_init": "zero"], "no gradient")
        refused("scala", ["noise_delay": 1.5], "from 0 to 1")
        refused("scala", ["ascent_steps": 1.5], "whole number")
        refused("freelb", ["passes": 0], "from 1")
        refused("smart", ["noise_radius": 1], "noise_radius")
        refused("r3f", ["noise_step": 1], "noise_step")
        refused("scala", ["noise_place": "words"], "normalized")
    }
}
